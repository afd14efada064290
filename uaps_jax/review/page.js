// Steps through the images of a queue, and sends every decision and every stroke to the server.
import { classChoice, listenToKeys } from "./controls.js";
import { Mask } from "./mask.js";
import { Painter } from "./painting.js";
import { ask, change, classIds } from "./requests.js";
import { View } from "./view.js";

const WORDS = {
  undecided: "undecided",
  accepted: "accepted",
  corrected: "accepted with a corrected mask",
  rejected: "rejected",
  to_correct: "marked for correction",
};
const PRESSED = { accepted: "accept", corrected: "accept", rejected: "reject", to_correct: "mark" };
const DRAFT_MS = 400; // after the first stroke that is not sent
const LONGEST_SIDE = 16384; // pixels of a canvas

const at = (id) => document.getElementById(id);
const stage = at("stage");
const sheet = at("sheet");
const colours = [];
const mask = new Mask(at("mask"), colours);
const view = new View(stage, sheet, (zoom) => {
  at("zoom-shown").textContent = `${Math.round(100 * zoom)} %`;
});

let images = [];
let current = null; // the image that is shown
let isChanged = false; // since its mask was sent
let isLeaving = false; // a decision or another image is on its way
let sending = Promise.resolve(true);
let unanswered = 0; // changes that the server has not answered
let timer = 0; // of the next draft; 0 if there is none

function say(text, isGood = false) {
  at("message").textContent = text;
  at("message").classList.toggle("good", isGood);
}

// --- decisions

function stopTimer() {
  clearTimeout(timer);
  timer = 0;
}

// Sends one change after the other; resolves to whether it was saved.
function send(action) {
  stopTimer();
  const image = current;
  unanswered++;
  sending = sending.then(() => save(image, action)).finally(() => unanswered--);
  return sending;
}

async function save(image, action) {
  if (image !== current || !mask.ids) return false;
  const sent = isChanged;
  isChanged = false;
  try {
    const status = await change(image, action, sent ? mask.ids.slice() : null);
    if (status === 409) await open(image);
    say(status === 409 ? "Changed in another tab; what you see now is what is saved." : "");
    return status !== 409;
  } catch (error) {
    isChanged = isChanged || sent;
    say(`Not saved. ${error.message}`);
    return false;
  } finally {
    describe();
  }
}

function touched() {
  isChanged = true;
  describe();
  timer ||= setTimeout(() => send("draft"), DRAFT_MS);
}

// Runs one thing at a time that leaves the image; what is asked for meanwhile is dropped, so that no
// image is decided that was not seen.
async function leave(how) {
  if (isLeaving || !mask.ids) return;
  isLeaving = true;
  try {
    await how();
  } finally {
    isLeaving = false;
  }
}

const decide = (action) =>
  leave(async () => {
    if (!(await send(action)) || action === "clear") return;
    const later = images.slice(current.rank);
    const next = [...later, ...images].find((image) => image.state === "undecided");
    if (next) await open(next);
    else say("All images are decided.", true);
  });

const go = (image) =>
  leave(async () => {
    if (!image || image === current || (isChanged && !(await send("draft")))) return describe();
    await open(image);
  });

const step = (by) => go(images[current.rank - 1 + by]);

// --- what is shown

async function open(image) {
  stopTimer();
  current = image;
  isChanged = false;
  mask.clear();
  at("photograph").src = `photograph/${image.rank}`;
  at("photograph").alt = image.image;
  at("uncertainty").src = `uncertainty/${image.rank}`;
  view.show(image.width, image.height);
  describe();
  say("");
  try {
    const ids = await classIds(`mask/${image.rank}`);
    if (image !== current) return;
    mask.load(ids, image.width, image.height);
    if (Math.max(image.width, image.height) > LONGEST_SIDE) {
      say(`No mask is drawn on an image with a side above ${LONGEST_SIDE} pixels.`);
    }
  } catch (error) {
    say(error.message);
  }
}

function describe() {
  const decided = images.filter((image) => image.state !== "undecided").length;
  const of = current.disagreement === null ? "" : `, disagreement ${current.disagreement.toFixed(3)}`;
  at("title").textContent = current.image;
  at("facts").textContent =
    `${current.width} x ${current.height} px; score ${current.score.toFixed(3)} (ambiguity ` +
    `${current.ambiguity.toFixed(3)}${of}); about ${current.minutes.toFixed(1)} minutes to annotate`;
  at("state").textContent = WORDS[current.state];
  at("state").className = `state ${current.state}`;
  at("place").textContent = `image ${current.rank} of ${images.length}, ${decided} decided`;
  document.querySelectorAll("[data-action]").forEach((button) => {
    if (button.dataset.action === "clear") button.disabled = current.state === "undecided";
    else button.setAttribute("aria-pressed", PRESSED[current.state] === button.dataset.action);
  });
  at("previous").disabled = current.rank === 1;
  at("next").disabled = current.rank === images.length;
  at("undo").disabled = !mask.canUndo;
  images.forEach((image, index) => {
    const text = `${image.rank}. ${image.image}: ${WORDS[image.state]}`;
    const option = at("images").options[index];
    if (option.textContent !== text) option.textContent = text;
  });
  at("images").selectedIndex = current.rank - 1;
}

function applyView() {
  sheet.classList.toggle("bare", !at("show-mask").checked);
  sheet.classList.toggle("unsure", at("show-uncertainty").checked);
  sheet.style.setProperty("--strength", at("strength").value / 100);
}

// --- painting

const painter = new Painter({ mask, view, stage, sheet, canStart: () => !isLeaving, changed: touched });

function undo() {
  if (!isLeaving && mask.undo()) touched();
}

async function reset() {
  const image = current;
  try {
    const proposal = await classIds(`proposal/${image.rank}`);
    const isFree = image === current && mask.ids && !mask.stroke && !isLeaving;
    if (isFree && mask.replace(proposal)) touched();
  } catch (error) {
    say(error.message);
  }
}

// --- controls

function chooseClass(key) {
  const choice = document.querySelector(`input[name=class][data-key="${key}"]`);
  if (!choice) return;
  choice.checked = true;
  painter.chooseClass(Number(choice.value));
}

function toggle(id) {
  at(id).checked = !at(id).checked;
  applyView();
}

const KEYS = {
  a: () => decide("accept"),
  c: () => decide("mark"),
  r: () => decide("reject"),
  n: () => step(1),
  p: () => step(-1),
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  v: () => painter.choose("move"),
  b: () => painter.choose("brush"),
  e: () => painter.choose("erase"),
  z: undo,
  m: () => toggle("show-mask"),
  u: () => toggle("show-uncertainty"),
  f: () => view.fit(),
  "+": () => view.by(1.25),
  "=": () => view.by(1.25),
  "-": () => view.by(0.8),
  "[": () => painter.resize(0.8),
  "]": () => painter.resize(1.25),
};

listenToKeys({
  isOff: () => !current || mask.stroke !== null,
  hasSingleKeys: () => at("keys").checked,
  stage,
  keys: KEYS,
  number: chooseClass,
  undo,
});
stage.addEventListener(
  "wheel",
  (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    view.by(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientX, event.clientY);
  },
  { passive: false },
);
addEventListener("beforeunload", (event) => {
  if (isChanged || unanswered || mask.stroke) event.preventDefault();
});
document.querySelectorAll("[data-action]").forEach((button) => {
  button.addEventListener("click", () => decide(button.dataset.action));
});
for (const id of ["show-mask", "show-uncertainty", "strength"]) {
  at(id).addEventListener("input", applyView);
}
const CLICKS = {
  previous: () => step(-1),
  next: () => step(1),
  undo,
  reset,
  larger: () => view.by(1.25),
  smaller: () => view.by(0.8),
  fit: () => view.fit(),
};
for (const [id, click] of Object.entries(CLICKS)) at(id).addEventListener("click", click);
at("images").addEventListener("change", () => go(images[at("images").selectedIndex]));

async function start() {
  const state = await (await ask("state")).json();
  images = state.images;
  state.classes.forEach(({ id, colour }) => (colours[id] = colour));
  at("classes").append(
    ...state.classes.map((one, index) => classChoice(one, index, (id) => painter.chooseClass(id))),
  );
  at("images").append(...images.map(() => document.createElement("option")));
  at("result").textContent =
    `Accepted images and their masks are in ${state.folder}, as a folder to train on.`;
  applyView();
  await open(images.find((image) => image.state === "undecided") ?? images[0]);
}
start().catch((error) => say(error.message));
