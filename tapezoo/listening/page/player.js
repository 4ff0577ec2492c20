// Sounds that play in step. Switching fades one out and then the other in, 5 ms each with raised cosines, and never
// crosses them: so BS.1534-3, 5.3 asks.
const SWITCH_S = 0.005;
const CURVE_POINTS = 33;
const SILENCE_S = 0.05; // before the first sample, so that every source starts in time
const LEAD_S = 0.01; // before a switch: what is asked for too late would begin in the middle of its fade
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

class Player {
  // buffers by name; first: the one heard first; drawn: whose waveform is shown, the reference's: eyes must not judge;
  // canLoop: else it stops at the end
  constructor(root, buffers, rate, first, drawn, canLoop) {
    this.root = root; this.buffers = buffers; this.rate = rate; this.drawn = drawn;
    this.heard = first; this.offset = 0; this.isPlaying = false; this.everHeard = new Set(); this.onchange = () => {};
    root.innerHTML = `<canvas tabindex="-1" aria-label="waveform and position; click to go there"></canvas>
      <div class="buttons"><button class="play">Play</button><label><input type="checkbox" class="loop"> loop</label></div>`;
    this.canvas = root.querySelector("canvas");
    this.button = root.querySelector(".play");
    this.loop = root.querySelector(".loop");
    this.loop.checked = canLoop;
    if (!canLoop) this.loop.parentNode.remove();
    this.button.onclick = () => this.toggle();
    this.loop.onchange = () => { for (const one of Object.values(this.sources || {})) one.loop = this.loop.checked; };
    this.canvas.onclick = (event) => this.seek(event.offsetX / this.canvas.clientWidth);
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.canvas);
  }

  async toggle() {
    if (this.isPlaying) { this.stop(); return; }
    contextOf(this.rate);
    await context.resume();
    this.start();
  }

  start() {
    const begin = context.currentTime + SILENCE_S;
    this.sources = {}; this.gains = {};
    for (const [name, buffer] of Object.entries(this.buffers)) {
      const source = context.createBufferSource(), gain = context.createGain();
      source.buffer = buffer; source.loop = this.loop.checked;
      gain.gain.value = 0;
      source.connect(gain).connect(volume);
      source.start(begin, this.offset);
      this.sources[name] = source; this.gains[name] = gain;
    }
    this.gains[this.heard].gain.setValueCurveAtTime(RISE, begin, SWITCH_S);
    this.freeAt = begin + 1.1 * SWITCH_S;
    Object.values(this.sources)[0].onended = () => { if (this.isPlaying) { this.stop(); this.offset = 0; this.draw(); } };
    this.began = begin - this.offset;
    this.isPlaying = true;
    this.note();
    this.button.textContent = "Pause";
    this.follow();
  }

  stop() {
    if (!this.isPlaying) return;
    this.offset = this.position();
    this.isPlaying = false;
    const at = this.nextFree();
    this.gains[this.heard].gain.setValueCurveAtTime(FALL, at, SWITCH_S);
    for (const source of Object.values(this.sources)) { source.onended = null; source.stop(at + 2 * SWITCH_S); }
    this.button.textContent = "Play";
    this.onchange();
  }

  // away from the page: nothing plays on, nothing watches
  close() { this.stop(); this.sizes.disconnect(); }

  // fades never overlap: a switch that is asked for during another waits for its end, 10 ms at most
  nextFree() { return Math.max(context.currentTime + LEAD_S, this.freeAt); }

  choose(name) {
    if (name === this.heard) { this.note(); return; }
    if (this.isPlaying) {
      const at = this.nextFree();
      this.gains[this.heard].gain.setValueCurveAtTime(FALL, at, SWITCH_S);
      this.gains[name].gain.setValueCurveAtTime(RISE, at + 1.1 * SWITCH_S, SWITCH_S);
      this.freeAt = at + 2.2 * SWITCH_S;
    }
    this.heard = name;
    this.note();
  }

  note() {
    if (this.isPlaying) this.everHeard.add(this.heard);
    this.root.dataset.heard = this.heard;
    this.root.dataset.playing = this.isPlaying;
    this.onchange();
  }

  position() {
    const length = this.drawn.duration;
    if (!this.isPlaying) return this.offset;
    const at = Math.max(context.currentTime - this.began, 0);
    return this.loop.checked ? at % length : Math.min(at, length);
  }

  seek(share) {
    const was = this.isPlaying;
    this.stop();
    this.offset = Math.min(Math.max(share, 0), 0.999) * this.drawn.duration;
    if (was) this.start();
    this.draw();
  }

  follow() {
    if (!this.isPlaying) return;
    this.draw();
    requestAnimationFrame(() => this.follow());
  }

  draw() {
    const width = Math.round(this.canvas.clientWidth * devicePixelRatio), height = Math.round(this.canvas.clientHeight * devicePixelRatio);
    if (!width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) { this.canvas.width = width; this.canvas.height = height; this.wave = null; }
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    this.wave = this.wave || this.extremes(width);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = style.getPropertyValue("--soft");
    this.wave.forEach(([low, high], x) => pen.fillRect(x, (1 - high) * height / 2, 1, Math.max((high - low) * height / 2, 1)));
    pen.fillStyle = style.getPropertyValue("--accent");
    pen.fillRect(width * this.position() / this.drawn.duration, 0, 2 * devicePixelRatio, height);
    if (this.onposition) this.onposition(this.position());
  }

  extremes(width) {
    const samples = this.drawn.getChannelData(0), step = samples.length / width;
    let most = 1e-6;
    for (const sample of samples) most = Math.max(most, Math.abs(sample));
    return Array.from({ length: width }, (_, x) => {
      let low = 0, high = 0;
      const end = Math.min(Math.ceil((x + 1) * step), samples.length);
      for (let at = Math.floor(x * step); at < end; at++) { low = Math.min(low, samples[at]); high = Math.max(high, samples[at]); }
      return [low / most * 0.95, high / most * 0.95];
    });
  }
}
