// Sounds as buffers: decoded, joined, cut; and what they are played with.
const SWITCH_S = 0.005;
const CURVE_POINTS = 33;
let context = null;
let volume = null;

function contextOf(rate) {
  if (context) return context;
  try {
    context = new AudioContext({ sampleRate: rate }); // the browser resamples once, at the end, and well
  } catch (error) {
    context = new AudioContext();
  }
  volume = context.createGain();
  volume.connect(context.destination);
  return context;
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes.buffer;
}

async function decoded(id, rate) {
  const decoder = new OfflineAudioContext(1, 1, rate); // needs no click, and does not resample
  return decoder.decodeAudioData(bytesOf(document.getElementById(`sound-${id}`).textContent));
}

// Two sounds with a pause between them, as one
function joined(first, second, pauseS, rate) {
  const pause = Math.round(pauseS * rate), length = first.length + pause + second.length;
  const made = new OfflineAudioContext(1, 1, rate).createBuffer(1, length, rate);
  made.getChannelData(0).set(first.getChannelData(0), 0);
  made.getChannelData(0).set(second.getChannelData(0), first.length + pause);
  return made;
}

const RISE = Float32Array.from({ length: CURVE_POINTS }, (_, at) => 0.5 - 0.5 * Math.cos((Math.PI * at) / (CURVE_POINTS - 1)));
const FALL = RISE.slice().reverse();

// A part of a sound that fades in and out as a switch does, so that it can be looped
function cutOut(buffer, fromS, toS) {
  const rate = buffer.sampleRate, samples = buffer.getChannelData(0).slice(Math.round(fromS * rate), Math.round(toS * rate));
  const fade = Math.min(Math.round(SWITCH_S * rate), samples.length >> 1);
  for (let at = 0; at < fade; at++) {
    const gain = 0.5 - 0.5 * Math.cos((Math.PI * (at + 0.5)) / fade);
    samples[at] *= gain;
    samples[samples.length - 1 - at] *= gain;
  }
  const made = new OfflineAudioContext(1, 1, rate).createBuffer(1, samples.length, rate);
  made.getChannelData(0).set(samples);
  return made;
}

