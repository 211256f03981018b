// Shows what changes on this machine: the page is asked for again, and what it says now takes the place of what it said.
"use strict";

const LATER_MS = 2500;

const place = document.querySelector("[data-live]");
if (place && "EventSource" in window) {
  const changes = new EventSource(place.dataset.live);
  let asking = false;
  let again = false;
  let later = 0;

  const refresh = async () => {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const now = page.getElementById(place.id);
        if (now && now.innerHTML !== place.innerHTML) {
          const held = place.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
          place.replaceChildren(...now.childNodes);
          if (held) place.querySelector(`a[href="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
          // What came between two looks of the watch and went before the second is never told of as gone.
          clearTimeout(later);
          later = setTimeout(refresh, LATER_MS);
        }
      }
    } catch {
      changes.close(); // the atlas has ended: what is shown is the last that was true
    } finally {
      asking = false;
    }
    if (again) {
      again = false;
      refresh();
    }
  };

  changes.onopen = refresh; // what changed between the page and the first word of it
  changes.onmessage = refresh;
}
