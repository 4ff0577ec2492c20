"use strict";
// One excerpt: its signals play in step; switching changes which one is heard.
const FADE_S = 0.01;
const NAMES = ["input", "target", "output", "difference"];
const FRAME = 2048, LOWEST_HZ = 40, RANGE_DB = 90; // of a spectrogram
const SHADES = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]]; // inferno
let context = null;
let playing = null;

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes.buffer;
}

function rms(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(samples.length, 1));
}

// Fourier transform in place, radix 2, of as many values as `cosine` and `sine` have twice
function transform(real, imaginary, cosine, sine) {
  const count = real.length;
  for (let at = 1, mirrored = 0; at < count; at++) {
    let bit = count >> 1;
    for (; mirrored & bit; bit >>= 1) mirrored ^= bit;
    mirrored ^= bit;
    if (at < mirrored) {
      [real[at], real[mirrored]] = [real[mirrored], real[at]];
      [imaginary[at], imaginary[mirrored]] = [imaginary[mirrored], imaginary[at]];
    }
  }
  for (let half = 1; half < count; half *= 2) {
    const step = count / half / 2;
    for (let start = 0; start < count; start += 2 * half) {
      for (let at = 0; at < half; at++) {
        const low = start + at, high = low + half, c = cosine[at * step], s = sine[at * step];
        const x = real[high] * c + imaginary[high] * s, y = imaginary[high] * c - real[high] * s;
        real[high] = real[low] - x; imaginary[high] = imaginary[low] - y;
        real[low] += x; imaginary[low] += y;
      }
    }
  }
}

// Power in dB, a row of `height` log-spaced frequencies for each of `width` moments
function spectrogram(samples, rate, width, height) {
  const half = FRAME / 2, cosine = new Float32Array(half), sine = new Float32Array(half), hann = new Float32Array(FRAME);
  for (let at = 0; at < half; at++) { cosine[at] = Math.cos(Math.PI * at / half); sine[at] = Math.sin(Math.PI * at / half); }
  for (let at = 0; at < FRAME; at++) hann[at] = 0.5 - 0.5 * Math.cos(2 * Math.PI * at / FRAME);
  const real = new Float32Array(FRAME), imaginary = new Float32Array(FRAME), power = new Float32Array(half);
  const found = new Float32Array(width * height), octaves = Math.log(rate / 2 / LOWEST_HZ);
  const bin = (y) => LOWEST_HZ * Math.exp(octaves * y / height) * FRAME / rate;
  for (let x = 0; x < width; x++) {
    const start = Math.round((x + 0.5) * samples.length / width - half);
    for (let at = 0; at < FRAME; at++) { real[at] = hann[at] * (samples[start + at] || 0); imaginary[at] = 0; }
    transform(real, imaginary, cosine, sine);
    for (let at = 0; at < half; at++) power[at] = real[at] * real[at] + imaginary[at] * imaginary[at];
    for (let y = 0; y < height; y++) {
      const from = Math.min(Math.round(bin(y)), half - 1), to = Math.max(Math.min(Math.round(bin(y + 1)), half), from + 1);
      let most = 0;
      for (let at = from; at < to; at++) most = Math.max(most, power[at]);
      found[x * height + y] = 10 * Math.log10(most + 1e-12);
    }
  }
  return found;
}

function shade(share) {
  const at = Math.min(Math.max(share, 0), 1) * (SHADES.length - 1), low = Math.min(Math.floor(at), SHADES.length - 2);
  return SHADES[low].map((value, part) => value + (at - low) * (SHADES[low + 1][part] - value));
}

class Player {
  constructor(root) {
    this.root = root;
    this.packed = JSON.parse(root.querySelector("script").textContent);
    this.rate = Number(root.dataset.rate);
    this.canvas = root.querySelector("canvas");
    this.names = NAMES.filter((name) => root.querySelector(`[data-signal=${name}]`));
    this.reference = this.names.includes("target") ? "target" : "output"; // is heard first, and sets the loudness
    this.pictures = {};
    this.offset = 0;
    this.blind = null;
    this.play = root.querySelector(".play");
    this.switches = Object.fromEntries(this.names.map((name) => [name, root.querySelector(`[data-signal=${name}]`)]));
    this.play.onclick = () => this.toggle();
    this.labels = Object.fromEntries(this.names.map((name) => [name, this.switches[name].textContent]));
    for (const name of this.names) this.switches[name].onclick = () => this.choose(name);
    this.loop = root.querySelector(".loop");
    this.loop.onchange = () => { for (const source of Object.values(this.sources || {})) source.loop = this.loop.checked; };
    this.match = root.querySelector(".match");
    this.match.onchange = () => this.choose(this.heard);
    this.blindButton = root.querySelector(".blind");
    this.blindButton.onclick = () => this.toggleBlind();
    this.pair = this.names.includes("difference") ? ["target", "output"] : this.names.slice(0, 2); // told apart when blind
    this.canvas.onclick = (event) => this.seek(event.offsetX / this.canvas.clientWidth);
    this.choose(this.reference);
    this.loaded = this.load();
  }

  async load() {
    const decoder = new OfflineAudioContext(1, 1, this.rate); // needs no click, and does not resample
    const entries = await Promise.all(
      Object.entries(this.packed).map(async ([name, data]) => [name, await decoder.decodeAudioData(bytesOf(data))])
    );
    const buffers = Object.fromEntries(entries);
    if (this.names.includes("difference")) {
      const target = buffers.target.getChannelData(0), output = buffers.output.getChannelData(0);
      buffers.difference = decoder.createBuffer(1, target.length, this.rate);
      const difference = buffers.difference.getChannelData(0);
      for (let at = 0; at < target.length; at++) difference[at] = output[at] - target[at];
    }
    const level = (name) => Math.max(rms(buffers[name].getChannelData(0)), 1e-9);
    this.matched = Object.fromEntries(
      this.names.map((name) => [name, name === "difference" ? 1 : level(this.reference) / level(name)]));
    this.buffers = buffers;
    this.draw();
  }

  level(name) {
    if (name !== this.heard) return 0;
    return this.match.checked ? this.matched[name] || 1 : 1;
  }

  async toggle() {
    if (playing === this) { this.stop(); return; }
    if (playing) playing.stop();
    await this.loaded;
    context = context || new AudioContext();
    await context.resume();
    this.start();
  }

  start() {
    this.sources = {};
    this.gains = {};
    const begin = context.currentTime + 0.05;
    for (const name of this.names) {
      const source = context.createBufferSource();
      source.buffer = this.buffers[name];
      source.loop = this.loop.checked;
      const gain = context.createGain();
      gain.gain.value = this.level(name);
      source.connect(gain).connect(context.destination);
      source.start(begin, this.offset);
      this.sources[name] = source;
      this.gains[name] = gain;
    }
    this.sources[this.reference].onended = () => { if (playing === this) { this.stop(); this.offset = 0; this.draw(); } };
    this.began = begin - this.offset;
    playing = this;
    this.play.textContent = "Pause";
    this.root.dataset.playing = "true";
    this.follow();
  }

  stop() {
    this.offset = this.position();
    playing = null;
    for (const source of Object.values(this.sources)) { source.onended = null; source.stop(); }
    this.play.textContent = "Play";
    this.root.dataset.playing = "false";
  }

  duration() { return this.buffers[this.reference].duration; }

  position() {
    const length = this.duration();
    if (playing !== this) return this.offset;
    const at = Math.max(context.currentTime - this.began, 0);
    return this.loop.checked ? at % length : Math.min(at, length);
  }

  async seek(share) {
    const was = playing === this;
    if (was) this.stop();
    await this.loaded;
    this.offset = share * this.duration();
    if (was) this.start();
    this.draw();
  }

  choose(name) {
    this.heard = name;
    for (const other of this.names) {
      this.switches[other].setAttribute("aria-pressed", String(other === name));
      if (this.gains && playing === this)
        this.gains[other].gain.setTargetAtTime(this.level(other), context.currentTime, FADE_S);
    }
    this.root.dataset.heard = name;
    this.draw();
  }

  toggleBlind() {
    const [one, two] = this.pair.map((name) => this.switches[name]);
    const answer = this.root.querySelector(".answer");
    if (this.blind) {
      const [a, b] = this.blind.map((name) => this.labels[name]);
      for (const name of this.pair) this.switches[name].textContent = this.labels[name];
      this.blindButton.textContent = "Blind";
      answer.textContent = `A was ${a}, B ${b}`;
      one.parentNode.insertBefore(one, two);
      this.blind = null;
      return;
    }
    this.blind = Math.random() < 0.5 ? this.pair : [...this.pair].reverse();
    const [first, second] = this.blind.map((name) => this.switches[name]);
    first.textContent = "A"; second.textContent = "B";
    first.parentNode.insertBefore(first, second);
    this.match.checked = true;
    this.blindButton.textContent = "Show which is which";
    const [left, right] = this.pair.map((name) => this.labels[name]);
    answer.textContent = `A and B are ${left} and ${right} at the same level, in an order drawn by chance`;
    this.choose(this.blind[0]);
  }

  follow() {
    if (playing !== this) return;
    this.draw();
    requestAnimationFrame(() => this.follow());
  }

  draw() {
    const width = this.canvas.clientWidth * devicePixelRatio, height = this.canvas.clientHeight * devicePixelRatio;
    if (this.canvas.width !== width) { this.canvas.width = width; this.canvas.height = height; }
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    pen.clearRect(0, 0, width, height);
    if (!this.buffers) {
      pen.fillStyle = style.getPropertyValue("--soft"); pen.font = `${14 * devicePixelRatio}px sans-serif`;
      pen.fillText("loading", 10 * devicePixelRatio, height / 2);
      return;
    }
    const name = this.blind ? this.pair[0] : this.heard; // what is drawn must not tell
    const samples = this.buffers[name].getChannelData(0), top = Math.round(height / 3);
    pen.fillStyle = style.getPropertyValue("--soft");
    const step = samples.length / width;
    for (let x = 0; x < width; x++) {
      let low = 0, high = 0;
      const end = Math.min(Math.ceil((x + 1) * step), samples.length);
      for (let at = Math.floor(x * step); at < end; at++) { low = Math.min(low, samples[at]); high = Math.max(high, samples[at]); }
      pen.fillRect(x, (1 - high) * top / 2, 1, Math.max((high - low) * top / 2, 1));
    }
    pen.drawImage(this.picture(name), 0, top, width, height - top);
    pen.fillStyle = style.getPropertyValue("--accent");
    pen.fillRect(width * this.position() / this.duration(), 0, 2 * devicePixelRatio, height);
  }

  // all signals on one scale of level, 0 dB at the loudest point of the reference
  picture(name) {
    if (this.pictures[name]) return this.pictures[name];
    const width = 600, height = 96, levels = spectrogram(this.buffers[name].getChannelData(0), this.rate, width, height);
    if (this.loudest_db === undefined)
      this.loudest_db = name === this.reference ? levels.reduce((most, level) => Math.max(most, level), -120)
        : (this.picture(this.reference), this.loudest_db);
    const canvas = document.createElement("canvas");
    canvas.width = width; canvas.height = height;
    const pen = canvas.getContext("2d"), image = pen.createImageData(width, height);
    for (let x = 0; x < width; x++)
      for (let y = 0; y < height; y++) {
        const colour = shade(1 + (levels[x * height + y] - this.loudest_db) / RANGE_DB);
        image.data.set([...colour, 255], 4 * ((height - 1 - y) * width + x));
      }
    pen.putImageData(image, 0, 0);
    return this.pictures[name] = canvas;
  }
}

const players = [...document.querySelectorAll(".player")].map((root) => new Player(root));
// also when a frame, such as MLflow's, gets its size after the page has run
const sizes = new ResizeObserver(() => players.forEach((player) => player.draw()));
players.forEach((player) => sizes.observe(player.canvas));
addEventListener("keydown", (event) => {
  const name = playing && playing.names[Number(event.key) - 1];
  if (name) playing.choose(name);
});
