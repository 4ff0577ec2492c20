"use strict";
// One excerpt: input, target, output and difference play in step; switching changes which one is heard.
const FADE_S = 0.01;
const NAMES = ["input", "target", "output", "difference"];
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

class Player {
  constructor(root) {
    this.root = root;
    this.packed = JSON.parse(root.querySelector("script").textContent);
    this.rate = Number(root.dataset.rate);
    this.canvas = root.querySelector("canvas");
    this.heard = "target";
    this.offset = 0;
    this.blind = null;
    this.play = root.querySelector(".play");
    this.switches = Object.fromEntries(NAMES.map((name) => [name, root.querySelector(`[data-signal=${name}]`)]));
    this.play.onclick = () => this.toggle();
    for (const name of NAMES) this.switches[name].onclick = () => this.choose(name);
    this.loop = root.querySelector(".loop");
    this.loop.onchange = () => { for (const source of Object.values(this.sources || {})) source.loop = this.loop.checked; };
    this.match = root.querySelector(".match");
    this.match.onchange = () => this.choose(this.heard);
    this.blindButton = root.querySelector(".blind");
    this.blindButton.onclick = () => this.toggleBlind();
    this.canvas.onclick = (event) => this.seek(event.offsetX / this.canvas.clientWidth);
    this.draw();
    this.loaded = this.load();
  }

  async load() {
    const decoder = new OfflineAudioContext(1, 1, this.rate); // needs no click, and does not resample
    const entries = await Promise.all(
      Object.entries(this.packed).map(async ([name, data]) => [name, await decoder.decodeAudioData(bytesOf(data))])
    );
    const buffers = Object.fromEntries(entries);
    const target = buffers.target.getChannelData(0);
    const output = buffers.output.getChannelData(0);
    buffers.difference = decoder.createBuffer(1, target.length, this.rate);
    const difference = buffers.difference.getChannelData(0);
    for (let at = 0; at < target.length; at++) difference[at] = output[at] - target[at];
    this.matched = { input: rms(target) / Math.max(rms(buffers.input.getChannelData(0)), 1e-9),
      output: rms(target) / Math.max(rms(output), 1e-9) };
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
    for (const name of NAMES) {
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
    this.sources.target.onended = () => { if (playing === this) { this.stop(); this.offset = 0; this.draw(); } };
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

  position() {
    const length = this.buffers.target.duration;
    if (playing !== this) return this.offset;
    const at = Math.max(context.currentTime - this.began, 0);
    return this.loop.checked ? at % length : Math.min(at, length);
  }

  async seek(share) {
    const was = playing === this;
    if (was) this.stop();
    await this.loaded;
    this.offset = share * this.buffers.target.duration;
    if (was) this.start();
    this.draw();
  }

  choose(name) {
    this.heard = name;
    for (const other of NAMES) {
      this.switches[other].setAttribute("aria-pressed", String(other === name));
      if (this.gains && playing === this)
        this.gains[other].gain.setTargetAtTime(this.level(other), context.currentTime, FADE_S);
    }
    this.root.dataset.heard = name;
    this.draw();
  }

  toggleBlind() {
    const { target, output } = this.switches;
    if (this.blind) {
      target.textContent = "Target"; output.textContent = "Output";
      this.blindButton.textContent = "Blind";
      this.root.querySelector(".answer").textContent = `A was the ${this.blind[0]}, B the ${this.blind[1]}`;
      target.parentNode.insertBefore(target, output);
      this.blind = null;
      return;
    }
    this.blind = Math.random() < 0.5 ? ["target", "output"] : ["output", "target"];
    const [first, second] = this.blind.map((name) => this.switches[name]);
    first.textContent = "A"; second.textContent = "B";
    first.parentNode.insertBefore(first, second);
    this.match.checked = true;
    this.blindButton.textContent = "Show which is which";
    this.root.querySelector(".answer").textContent = "A and B are the machine and the model, at the same level";
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
    const samples = this.buffers[this.blind ? "target" : this.heard].getChannelData(0);
    pen.fillStyle = style.getPropertyValue("--soft");
    const step = samples.length / width;
    for (let x = 0; x < width; x++) {
      let low = 0, high = 0;
      const end = Math.min(Math.ceil((x + 1) * step), samples.length);
      for (let at = Math.floor(x * step); at < end; at++) { low = Math.min(low, samples[at]); high = Math.max(high, samples[at]); }
      pen.fillRect(x, (1 - high) * height / 2, 1, Math.max((high - low) * height / 2, 1));
    }
    pen.fillStyle = style.getPropertyValue("--accent");
    pen.fillRect(width * this.position() / this.buffers.target.duration, 0, 2 * devicePixelRatio, height);
  }
}

const players = [...document.querySelectorAll(".player")].map((root) => new Player(root));
// also when a frame, such as MLflow's, gets its size after the page has run
const sizes = new ResizeObserver(() => players.forEach((player) => player.draw()));
players.forEach((player) => sizes.observe(player.canvas));
addEventListener("keydown", (event) => {
  const name = NAMES[Number(event.key) - 1];
  if (playing && name) playing.choose(name);
});
