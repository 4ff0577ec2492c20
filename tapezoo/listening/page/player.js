// Sounds that play in step. Switching fades one out and then the other in, 5 ms each with raised cosines, and never
// crosses them: so BS.1534-3, 5.3 asks.
const SILENCE_S = 0.05; // before the first sample, so that every source starts in time
const SHORTEST_LOOP_S = 0.5; // BS.1534-3, 5.3
const DRAG_PX = 8; // less is a click
const LEAD_S = 0.01; // before a switch: what is asked for too late would begin in the middle of its fade

class Player {
  // buffers by name; first: the one heard first; drawn: whose waveform is shown, the reference's: eyes must not judge;
  // canLoop: else it stops at the end
  constructor(root, buffers, rate, first, drawn, canLoop) {
    this.root = root; this.buffers = buffers; this.rate = rate; this.drawn = drawn;
    this.heard = first; this.offset = 0; this.from = 0; this.to = drawn.duration; this.cut = buffers; this.isPlaying = false; this.everHeard = new Set(); this.onchange = () => {};
    root.innerHTML = `<canvas tabindex="-1" aria-label="waveform of the reference; click to go there, drag to loop a part"></canvas>
      <div class="buttons"><button class="play">Play</button><label><input type="checkbox" class="loop"> loop</label></div>`;
    this.canvas = root.querySelector("canvas");
    this.button = root.querySelector(".play");
    this.loop = root.querySelector(".loop");
    this.loop.checked = canLoop;
    if (!canLoop) this.loop.parentNode.remove();
    this.button.onclick = () => this.toggle();
    this.loop.onchange = () => { for (const one of Object.values(this.sources || {})) one.loop = this.loop.checked; };
    this.canvas.onpointerdown = (event) => { this.canvas.setPointerCapture(event.pointerId); this.pressed = event.offsetX; };
    this.canvas.onpointerup = (event) => this.release(event.offsetX, canLoop);
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
    if (this.offset < this.from || this.offset >= this.to) this.offset = this.from;
    for (const [name, buffer] of Object.entries(this.cut)) {
      const source = context.createBufferSource(), gain = context.createGain();
      source.buffer = buffer; source.loop = this.loop.checked;
      gain.gain.value = 0;
      source.connect(gain).connect(volume);
      source.start(begin, this.offset - this.from);
      this.sources[name] = source; this.gains[name] = gain;
    }
    this.gains[this.heard].gain.setValueCurveAtTime(RISE, begin, SWITCH_S);
    this.freeAt = begin + 1.1 * SWITCH_S;
    Object.values(this.sources)[0].onended = () => { if (this.isPlaying) { this.stop(); this.offset = this.from; this.draw(); } };
    this.began = begin - (this.offset - this.from);
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
    const length = this.to - this.from;
    if (!this.isPlaying) return this.offset;
    const at = Math.max(context.currentTime - this.began, 0);
    return this.from + (this.loop.checked ? at % length : Math.min(at, length));
  }

  // a click goes to a place, and back to the whole passage where that is outside of the loop
  release(x, canLoop) {
    const width = this.canvas.clientWidth; // a finger may leave the picture
    const [first, last] = [Math.min(x, this.pressed), Math.max(x, this.pressed)].map((at) => Math.min(Math.max(at / width, 0), 1));
    if (canLoop && Math.abs(x - this.pressed) >= DRAG_PX) this.loopPart(first * this.drawn.duration, last * this.drawn.duration);
    else this.seek(x / width);
  }

  loopPart(fromS, toS) {
    const was = this.isPlaying, whole = this.drawn.duration, length = Math.min(Math.max(toS - fromS, SHORTEST_LOOP_S), whole);
    this.stop();
    this.from = Math.min(Math.max(fromS, 0), whole - length);
    this.to = this.from + length;
    const isWhole = length === whole;
    this.cut = isWhole ? this.buffers
      : Object.fromEntries(Object.entries(this.buffers).map(([name, buffer]) => [name, cutOut(buffer, this.from, this.to)]));
    if (was) this.start();
    this.draw();
  }

  seek(share) {
    const was = this.isPlaying, at = Math.min(Math.max(share, 0), 0.999) * this.drawn.duration;
    this.stop();
    if (at < this.from || at >= this.to) this.loopPart(0, this.drawn.duration);
    this.offset = at;
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
    const [left, right] = [this.from, this.to].map((at) => width * at / this.drawn.duration);
    if (right - left < width) { pen.fillStyle = style.getPropertyValue("--line"); pen.fillRect(left, 0, right - left, height); }
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
