// The keyboard, and the choice of the class of the brush.

const IGNORE = 255;
const ONCE = ["a", "c", "r"]; // decisions, which a key that is held down does not repeat

// `keys` maps a key to what it does, `number` takes a digit; `isOff` and `hasSingleKeys` are asked at
// every key. Only Ctrl and Z works without single keys.
export function listenToKeys({ isOff, hasSingleKeys, stage, keys, number, undo }) {
  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const on = event.target;
    if (isOff() || event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z") return;
      undo();
    } else {
      if (!hasSingleKeys() || on.tagName === "SELECT") return;
      if (key.startsWith("Arrow") && (on === stage || on.tagName === "INPUT")) return;
      if (event.repeat && ONCE.includes(key)) return;
      if (/^[0-9]$/.test(key)) number(key);
      else if (keys[key]) keys[key]();
      else return;
    }
    event.preventDefault();
  });
}

// A radio button with the colour and the key of a class; `chosen` is told its id.
export function classChoice({ id, name, colour }, index, chosen) {
  const label = document.createElement("label");
  const choice = document.createElement("input");
  const swatch = document.createElement("span");
  choice.type = "radio";
  choice.name = "class";
  choice.value = id;
  choice.dataset.key = id === IGNORE ? 0 : index + 1;
  choice.checked = index === 0;
  choice.addEventListener("change", () => chosen(id));
  swatch.className = "swatch";
  swatch.style.background = `rgb(${colour.join(",")})`;
  label.append(choice, swatch, name);
  if (id === IGNORE || index < 9) {
    const key = document.createElement("kbd");
    key.textContent = choice.dataset.key;
    label.append(" ", key);
  }
  return label;
}
