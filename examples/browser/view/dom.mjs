// Access to the document, and drawing that happens at most once a frame.

/** Return the element with an id. */
export const element = (id) => document.getElementById(id);

/** Make an element: its properties, and what is in it. Text stays text. */
export function make(tag, properties = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(made.dataset, value);
    else if (name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...content);
  return made;
}

/** Return a function that has another one called in the next frame, once however often it is asked. */
export function onceAFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}

/** Write a text if it is another one: an unchanged one costs a layout too. */
export function write(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Return a time of day with milliseconds, of seconds since 1970. */
export function clock(at) {
  const time = new Date(at * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const millis = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${millis}`;
}

/** Put a text into the clipboard, and say so on the button for a moment. */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    said(button, "Copied");
  } catch {
    said(button, "Not allowed");
  }
}

function said(button, words) {
  button.dataset.words ??= button.textContent;
  button.textContent = words;
  setTimeout(() => (button.textContent = button.dataset.words), 1500);
}

/** What a tab or this browser remembers; without storage, nothing. */
export function remembered(storage, name, fallback) {
  try {
    return storage.getItem(name) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Remember something; where storage is forbidden, nothing happens. */
export function remember(storage, name, value) {
  try {
    storage.setItem(name, value);
  } catch {
    // It lasts as long as the page.
  }
}
