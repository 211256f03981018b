// Search as one types: the names are fetched once and looked through here. Without this script the form works as it is.
"use strict";
(() => {
  const form = document.querySelector("form[role=search]");
  const box = form && form.querySelector("input");
  if (!box) return;
  const MOST = 8;
  const list = document.createElement("ul");
  list.id = "found";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", form.querySelector("label").textContent);
  list.hidden = true;
  form.append(list);
  box.setAttribute("role", "combobox");
  box.setAttribute("aria-autocomplete", "list");
  box.setAttribute("aria-controls", list.id);
  box.setAttribute("aria-expanded", "false");

  let names = null; // [lower case, name, ports, kind] each, sorted
  let chosen = -1;

  const load = async () => {
    if (names) return;
    names = [];
    const answer = await fetch(form.dataset.names);
    if (!answer.ok) return;
    const found = await answer.json();
    for (const [kind, lines] of Object.entries(found)) {
      for (const line of lines) {
        const [name, ports] = line.split("\t");
        names.push([name.toLowerCase(), name, ports, kind]);
      }
    }
    names.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0));
    show();
  };

  // The place of the first name that is not before a text.
  const placeOf = (text) => {
    let low = 0;
    let high = names.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (names[middle][0] < text) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  // Names that begin with what was typed, itself first by being sorted, then those that have it elsewhere; a number is
  // a port first.
  const find = (typed) => {
    const found = [];
    if (/^[0-9]{1,5}$/.test(typed) && Number(typed) < 65536) found.push([typed, Number(typed).toString(), "", "port"]);
    if (!names) return found;
    for (let at = placeOf(typed); found.length < MOST && at < names.length && names[at][0].startsWith(typed); at++) {
      found.push(names[at]);
    }
    for (let at = 0; found.length < MOST && at < names.length; at++) {
      if (names[at][0].indexOf(typed, 1) > 0 && !names[at][0].startsWith(typed)) found.push(names[at]);
    }
    return found;
  };

  const address = ([, name, , kind]) => {
    const path = { services: "/service/", products: "/product/", port: "/" }[kind];
    return form.dataset.prefix + path + encodeURIComponent(name);
  };

  const close = () => {
    list.hidden = true;
    chosen = -1;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };

  const show = () => {
    const typed = box.value.trim().toLowerCase();
    const found = typed ? find(typed) : [];
    list.replaceChildren(
      ...found.map((entry, place) => {
        const item = document.createElement("li");
        item.id = `found-${place}`;
        item.setAttribute("role", "option");
        item.dataset.address = address(entry);
        const name = document.createElement("b");
        name.lang = "en";
        name.textContent = entry[1];
        item.append(name, entry[2] ? ` ${entry[2]}` : "");
        return item;
      }),
    );
    close();
    list.hidden = !found.length;
    box.setAttribute("aria-expanded", String(!list.hidden));
  };

  const choose = (place) => {
    const items = list.children;
    if (!items.length) return;
    if (items[chosen]) items[chosen].removeAttribute("aria-selected");
    chosen = (place + items.length) % items.length;
    items[chosen].setAttribute("aria-selected", "true");
    box.setAttribute("aria-activedescendant", items[chosen].id);
  };

  box.addEventListener("focus", load);
  box.addEventListener("input", () => {
    load();
    show();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && !list.hidden) choose(chosen + 1);
    else if (event.key === "ArrowUp" && !list.hidden) choose(chosen < 0 ? -1 : chosen - 1);
    else if (event.key === "Escape") close();
    else if (event.key === "Enter" && list.children[chosen]) location.assign(list.children[chosen].dataset.address);
    else return;
    if (event.key !== "Escape" || !list.hidden) event.preventDefault();
  });
  list.addEventListener("mousedown", (event) => {
    const item = event.target.closest("li");
    if (item) location.assign(item.dataset.address);
  });
  box.addEventListener("blur", close);
})();
