"use strict";
// Opens the images of the page one by one, with their mask, frames and uncertainty on top.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const viewer = document.getElementById("viewer");
  const cards = [...document.querySelectorAll(".card")];
  const part = (name) => viewer.querySelector(`[data-part="${name}"]`);
  let current = -1;

  const address = (kind, name, suffix) =>
    [kind, ...`${name}.${suffix}`.split("/")].map(encodeURIComponent).join("/");

  const visible = () => cards.map((_, i) => i).filter((i) => !cards[i].hidden);

  function cell(row, text, head) {
    const made = document.createElement(head ? "th" : "td");
    if (head) made.scope = "row";
    made.textContent = text;
    row.append(made);
  }

  function fill(index) {
    const image = data.images[index];
    const listed = visible();
    part("title").textContent = image.file;
    part("facts").textContent = image.facts;
    part("place").textContent = `${listed.indexOf(index) + 1} of ${listed.length}`;
    const picture = part("photograph");
    picture.src = address("photograph", image.name, "jpg");
    picture.alt = image.file;
    part("mask").src = address("mask", image.name, "png");
    part("uncertainty").src = address("uncertainty", image.name, "png");
    const sheet = part("sheet");
    sheet.style.aspectRatio = `${image.width} / ${image.height}`;
    sheet.style.setProperty("--own-width", `${image.width}px`);
    sheet.style.setProperty("--fitted", `calc(65vh * ${image.width / image.height})`);
    part("frames").replaceChildren(
      ...image.defects.map(([label, left, top, width, height], number) => {
        const frame = document.createElement("span");
        frame.className = "frame";
        frame.style.left = `${(100 * left) / image.width}%`;
        frame.style.top = `${(100 * top) / image.height}%`;
        frame.style.width = `${(100 * width) / image.width}%`;
        frame.style.height = `${(100 * height) / image.height}%`;
        frame.style.setProperty("--colour", data.colours[label]);
        frame.dataset.number = number + 1;
        return frame;
      }),
    );
    part("defects").hidden = !image.defects.length;
    part("rows").replaceChildren(
      ...image.rows.map((texts) => {
        const row = document.createElement("tr");
        texts.forEach((text, column) => cell(row, text, column === 0));
        return row;
      }),
    );
    part("more").textContent = image.more;
    part("overlay-link").href = address("overlay", image.name, "png");
    part("mask-link").href = address("mask", image.name, "png");
  }

  function show() {
    const index = Number.parseInt(location.hash.slice(1), 10) - 1;
    if (!(index in data.images)) {
      if (viewer.open) viewer.close();
      return;
    }
    current = index;
    fill(index);
    if (!viewer.open) viewer.showModal();
  }

  function move(by) {
    const listed = visible();
    const next = listed[listed.indexOf(current) + by];
    if (next !== undefined) history.replaceState(null, "", `#${next + 1}`), show();
  }

  cards.forEach((card, index) => {
    card.querySelector("a").addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      location.hash = String(index + 1);
    });
  });
  addEventListener("hashchange", show);
  viewer.addEventListener("close", () => {
    if (location.hash.length > 1) history.replaceState(null, "", location.pathname + location.search);
    if (current >= 0) cards[current].querySelector("a").focus();
  });
  part("close").addEventListener("click", () => viewer.close());
  part("before").addEventListener("click", () => move(-1));
  part("after").addEventListener("click", () => move(1));
  viewer.addEventListener("keydown", (event) => {
    if (event.target.type === "range" || event.target.dataset.part === "stage") return;
    if (event.key === "ArrowLeft") move(-1);
    if (event.key === "ArrowRight") move(1);
  });
  viewer.querySelectorAll("input[data-layer]").forEach((box) => {
    const apply = () => part("sheet").classList.toggle(box.dataset.layer, box.checked);
    box.addEventListener("change", apply);
    apply();
  });
  const strength = part("strength");
  const fade = () => part("sheet").style.setProperty("--strength", strength.value / 100);
  strength.addEventListener("input", fade);
  fade();
  document.querySelectorAll("input[name=shown]").forEach((choice) => {
    choice.addEventListener("change", () => {
      cards.forEach((card) => {
        card.hidden = choice.value !== "" && card.dataset.kind !== choice.value;
      });
    });
  });
  show();
})();
