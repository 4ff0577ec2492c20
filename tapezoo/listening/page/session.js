// The way through the test: who listens, training and volume, the trials, the results.
const test = JSON.parse(document.getElementById("test").textContent);
const Kind = { mushra: MushraScreen, abx: AbxScreen, dmos: DmosScreen }[test.kind];
const main = document.querySelector("main");
const store = new Store(test);
const DEFAULT_VOLUME = 0.5;
let state = null; // {listener, step, answers, volume}; step 0 is the training
let screens = [];
let current = null;
let openedAt = 0;

function made(html) {
  const part = document.createElement("div");
  part.innerHTML = html;
  return part;
}

function show(part, done) {
  document.querySelector(".progress div").style.width = `${Math.round(100 * done)}%`;
  main.replaceChildren(part);
  scrollTo(0, 0);
}

function escaped(text) {
  const part = document.createElement("span");
  part.textContent = text;
  return part.innerHTML.replaceAll('"', "&quot;");
}

function showStart() {
  const known = store.listeners().map((name) => ({ name, kept: store.read(name) })).filter(({ kept }) => kept);
  const minutes = Math.ceil(Kind.all(test, "").length * { mushra: 3, abx: 0.7, dmos: 0.4 }[test.kind]);
  const part = made(`<h2>Before you start</h2>
    <p>${escaped(main.dataset.question)}</p>
    <ul><li>Use headphones or good loudspeakers in a quiet room.</li>
    <li>It takes about ${minutes} minute${minutes > 1 ? "s" : ""}. Take breaks; your answers stay in this browser.</li>
    <li>At the end you save a file with your answers and send it to whoever gave you this page. The page itself sends nothing.</li></ul>
    <form><p><label for="listener">Your name or a nickname that nobody else uses</label><input type="text" id="listener" maxlength="40" autocomplete="off" required></p>
    <button class="main">Start</button></form>
    ${known.length ? "<h2>Go on</h2><div class='buttons'></div>" : ""}`);
  part.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    const name = part.querySelector("input").value.trim();
    if (name) begin(name);
  };
  for (const { name, kept } of known) {
    const button = document.createElement("button");
    button.textContent = kept.step > kept.of ? `${name}: all done` : `${name}: ${kept.step ? `${kept.step} of ${kept.of}` : "training"}`;
    button.onclick = () => begin(name);
    part.querySelector(".buttons").append(button);
  }
  state = null;
  show(part, 0);
}

function begin(listener) {
  screens = Kind.all(test, listener);
  state = store.read(listener) || { listener, step: 0, of: screens.length, answers: {}, volume: DEFAULT_VOLUME };
  go(state.step);
}

async function go(step) {
  if (current) { current.player.close(); current = null; }
  state.step = step;
  store.write(state);
  if (step === 0) await showTraining();
  else if (step <= screens.length) await showTrial();
  else showEnd();
}

// all sounds of one passage after another, to get used to them and to set the volume once
async function showTraining(passage = 0) {
  const trial = shuffled(test.trials, `${test.id} ${state.listener} training`)[passage % test.trials.length];
  const order = shuffled([...new Set([trial.reference, ...trial.stimuli])], `${test.id} ${state.listener} training sounds`);
  const buffers = Object.fromEntries(await Promise.all(order.map(async (id) => [id, await decoded(id, test.rate)])));
  const part = made(`<h2>Training</h2><p>These are sounds of the kind that you will hear, in random order; nothing is rated yet. Listen to
    all of them, and set a comfortable volume. Leave it there until the end.</p><div class="player"></div>
    <div class="buttons sounds">${order.map((_, at) => `<button>${at + 1}</button>`).join("")}</div>
    ${test.trials.length > 1 ? '<div class="buttons"><button class="another">Another passage</button></div>' : ""}
    <label>volume <input type="range" min="0" max="1" step="0.01" class="volume"></label>
    ${test.kind === "dmos" ? "" : "<p class='soft'>Drag over the waveform to loop a part; click beside that part to hear all of it again.</p>"}
    <p class="soft keys">Keys: ${Kind.help}.</p><div class="steps"><button class="back">Back</button><button class="main next">Begin the test</button></div>`);
  const player = new Player(part.querySelector(".player"), buffers, test.rate, order[0], buffers[trial.reference], true);
  const buttons = [...part.querySelectorAll(".sounds button")];
  const hear = async (at) => { player.choose(order[at]); if (!player.isPlaying) await player.toggle(); };
  buttons.forEach((button, at) => { button.onclick = () => hear(at); });
  player.onchange = () => buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(player.heard === order[at])));
  player.onchange();
  const slider = part.querySelector(".volume");
  slider.value = state.volume;
  slider.oninput = () => { state.volume = Number(slider.value); setVolume(); store.write(state); };
  part.querySelector(".back").onclick = () => { player.close(); current = null; showStart(); };
  part.querySelector(".next").onclick = () => go(1);
  const another = part.querySelector(".another");
  if (another) another.onclick = () => { player.close(); showTraining(passage + 1); };
  current = { player, key: (key) => { if (order[Number(key) - 1]) hear(Number(key) - 1); }, next: () => go(1) };
  setVolume();
  show(part, 0);
}

function setVolume() {
  contextOf(test.rate);
  volume.gain.value = state.volume ** 2; // nearer to what is heard than the amplitude itself
}

async function showTrial() {
  const screen = screens[state.step - 1], answer = (state.answers[screen.id] = state.answers[screen.id] || {});
  const part = made(`<h2>${state.step} of ${screens.length}</h2><p>${escaped(main.dataset.question)}</p><div class="screen"></div>
    <p class="soft missing" aria-live="polite"></p><p class="soft keys">Keys: ${Kind.help}.</p>
    <div class="steps"><button class="back">Back</button><button class="main next">Next</button></div>`);
  const opened = new Kind(test, screen, state.listener, answer);
  const next = part.querySelector(".next"), missing = part.querySelector(".missing");
  opened.onchange = () => {
    const text = opened.missing();
    next.disabled = Boolean(text);
    missing.textContent = text;
    store.write(state);
  };
  opened.next = () => {
    if (opened.missing()) return;
    answer.seconds = Math.round((answer.seconds || 0) + (performance.now() - openedAt) / 1000);
    go(state.step + 1);
  };
  next.onclick = opened.next;
  part.querySelector(".back").onclick = () => go(state.step - 1);
  await opened.open(part.querySelector(".screen"));
  current = opened;
  openedAt = performance.now();
  setVolume();
  show(part, (state.step - 1) / screens.length);
}

function showEnd() {
  const text = csvOf(test, state.listener, screens.flatMap((screen) => Kind.rows(screen, state.answers[screen.id])));
  const name = `${test.kind}-${test.id}-${state.listener.replace(/[^\p{L}\p{N}_-]+/gu, "_")}.csv`;
  const part = made(`<h2>Thank you</h2><p>Please save your answers and send the file to whoever gave you this page. If saving does not
    work, copy the text below and send that.</p>
    <div class="buttons"><button class="main save">Save ${escaped(name)}</button><button class="copy">Copy the text</button></div>
    <p><textarea readonly aria-label="your answers as CSV"></textarea></p>
    <div class="steps"><button class="back">Back</button><button class="other">Another listener</button></div>`);
  part.querySelector("textarea").value = text;
  part.querySelector(".save").onclick = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  part.querySelector(".copy").onclick = async (event) => {
    const box = part.querySelector("textarea");
    box.select();
    let isCopied = false;
    try { await navigator.clipboard.writeText(text); isCopied = true; } catch (error) { isCopied = document.execCommand("copy"); }
    event.target.textContent = isCopied ? "Copied" : "Select the text and copy it";
  };
  part.querySelector(".back").onclick = () => go(screens.length);
  part.querySelector(".other").onclick = showStart;
  show(part, 1);
}

addEventListener("keydown", (event) => {
  if (!current || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=text], textarea")) return;
  if (event.key === " ") { event.preventDefault(); current.player.toggle(); }
  else if (event.key === "Enter" && !event.target.matches("button")) current.next();
  else current.key(event.key);
});

showStart();
