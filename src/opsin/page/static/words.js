// The page's words. The language is the browser's, or the one that was chosen here.

import { GERMAN } from "./sentences.js";

const WORDS = {
  en: {
    photographs: "Photographs", add: "Add", language: "Deutsch", dismiss: "Dismiss",
    dropHere: "Drop black-and-white photographs here", choose: "Choose photographs",
    stays: "They stay on this machine, and are forgotten when the server is stopped.",
    stage: "Photograph. Arrow keys move the place, Enter asks for its colors.",
    compare: "Before", hold: "Hold to see it as it was", zoomIn: "Larger", zoomOut: "Smaller", zoomFit: "Whole picture",
    undo: "Undo", redo: "Redo", confidence: "Where it is sure", vividness: "Vividness",
    colorHere: "What color is it?", clickIt: "Click on a thing in the picture whose color you know.",
    likely: "Likely colors", anyColor: "Another color", points: "Points",
    inWords: "In words", wordsAre: "A color and a thing, several with commas, then Enter: red dress, blue sky.",
    palette: "Colors of the whole picture", addColor: "Color", reference: "From a photograph …", noPalette: "None",
    noneAsked: "As the model finds them.", fromReference: "From the photograph {name}.", fromFile: "From the file {name}.",
    several: "Several answers", answer: "Answer {number}, {share} %", fromAnswer: "Answer {name} of several.",
    strength: "Strength", matching: "Places that look alike", model: "Model", keep: "Keep",
    download: "Download the picture", save: "Download the settings", load: "Load settings …", close: "Close",
    allOfThem: "All photographs", alike: "All like this one, but for the points", colorAll: "Color all at full size", goOn: "Go on",
    stop: "Stop", progress: "{done} of {total}: {name}", downloadAll: "Download {count} pictures as a ZIP",
    left: "Not in it, or changed since: {count}. “{button}” makes them.",
    keys: "Keys: Ctrl+Z undo, Ctrl+Y redo, Delete removes a point, + − 0 zoom, space shows it as it was, [ ] other photographs.",
    point: "Point {number}: {color}", removePoint: "Remove point {number}", swatch: "{color}, {share} %",
    removeColor: "Remove {color} from the palette", closing: "Close {name}? Its colors are lost unless you have kept them.",
    opening: "Opening {name} ({number} of {count})", notOpened: "Not opened either: {names}.", asked: "The place that is asked for", allTheSame: "Open it as far as it goes",
    "error.session": "This page is of an earlier run of opsin page, or was idle for too long; what was open is gone. Load it again.",
    "error.token": "Open the whole address that opsin page has printed.",
    "error.busy": "Too much is being done at once. Try again in a moment.",
    "error.network": "The server does not answer. Is opsin page still running?",
    "error.large": "{name} is too large.",
    "error.damaged": "{name}: the picture is damaged or cut off. Copy it again from where it came from.",
    "error.settings": "{name}: not a file of settings, as NAME.opsin.json is.",
  },
  de: {
    photographs: "Fotos", add: "Hinzufügen", language: "English", dismiss: "Schließen",
    dropHere: "Schwarzweißfotos hier ablegen", choose: "Fotos auswählen",
    stays: "Sie bleiben auf diesem Rechner und sind vergessen, sobald der Server beendet wird.",
    stage: "Foto. Pfeiltasten bewegen die Stelle, die Eingabetaste fragt nach ihren Farben.",
    compare: "Vorher", hold: "Halten: Original zeigen", zoomIn: "Größer", zoomOut: "Kleiner", zoomFit: "Ganzes Bild",
    undo: "Rückgängig", redo: "Wiederholen", confidence: "Wo es sicher ist", vividness: "Farbkraft",
    colorHere: "Welche Farbe hat es?", clickIt: "Klicken Sie im Bild auf etwas, dessen Farbe Sie kennen.",
    likely: "Wahrscheinliche Farben", anyColor: "Andere Farbe", points: "Punkte",
    inWords: "In Worten", wordsAre: "Eine Farbe und ein Ding, mehrere mit Kommas, dann die Eingabetaste: rotes Kleid, blauer Himmel.",
    palette: "Farben des ganzen Bildes", addColor: "Farbe", reference: "Von einem Foto …", noPalette: "Keine",
    noneAsked: "Wie das Modell sie findet.", fromReference: "Vom Foto {name}.", fromFile: "Aus der Datei {name}.",
    several: "Mehrere Vorschläge", answer: "Vorschlag {number}, {share} %", fromAnswer: "Vorschlag {name} von mehreren.",
    strength: "Stärke", matching: "Stellen, die sich gleichen", model: "Modell", keep: "Behalten",
    download: "Bild herunterladen", save: "Einstellungen herunterladen", load: "Einstellungen laden …", close: "Schließen",
    allOfThem: "Alle Fotos", alike: "Alle wie dieses, bis auf die Punkte", colorAll: "Alle in voller Größe einfärben", goOn: "Fortsetzen",
    stop: "Anhalten", progress: "{done} von {total}: {name}", downloadAll: "{count} Bilder als ZIP herunterladen",
    left: "Nicht darin oder seither geändert: {count}. Sie macht der Knopf „{button}“.",
    keys: "Tasten: Strg+Z rückgängig, Strg+Y wiederholen, Entf löscht einen Punkt, + − 0 Zoom, Leertaste zeigt das Original, [ ] andere Fotos.",
    point: "Punkt {number}: {color}", removePoint: "Punkt {number} löschen", swatch: "{color}, {share} %",
    removeColor: "{color} aus den Farben nehmen", closing: "{name} schließen? Die Farben gehen verloren, wenn Sie sie nicht behalten haben.",
    opening: "{name} wird geöffnet ({number} von {count})", notOpened: "Auch nicht geöffnet: {names}.", asked: "Die Stelle, nach der gefragt wird", allTheSame: "Öffnen, soweit es geht",
    "error.session": "Diese Seite ist von einem früheren Lauf von opsin page, oder sie war zu lange ungenutzt; was offen war, ist vergessen. Laden Sie sie neu.",
    "error.token": "Öffnen Sie die ganze Adresse, die opsin page ausgegeben hat.",
    "error.busy": "Es ist gerade zu viel zu tun. Versuchen Sie es gleich noch einmal.",
    "error.network": "Der Server antwortet nicht. Läuft opsin page noch?",
    "error.large": "{name} ist zu groß.",
    "error.damaged": "{name}: Das Bild ist beschädigt oder abgeschnitten. Kopieren Sie es noch einmal von seiner Quelle.",
    "error.settings": "{name}: keine Datei mit Einstellungen, wie es NAME.opsin.json ist.",
  },
};

export const LANGUAGES = Object.keys(WORDS);
let language = "en";

// The first language of a list that there are words in.
export function choose(wanted) {
  const found = wanted.map((one) => one.slice(0, 2).toLowerCase()).find((one) => one in WORDS);
  language = found || "en";
  return language;
}

// The words for a key; what stands in {braces} is filled in. "" where there are none.
export function word(key, values = {}) {
  const text = WORDS[language][key] || WORDS.en[key] || "";
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

// A sentence of the server's in the language of the page, where there is one.
export function told(text) {
  const known = language === "de" && GERMAN.find(([pattern]) => pattern.test(text));
  return known ? text.replace(...known) : text;
}

// Something that has failed, as the page says it or as the server does; it begins with the file's name.
export function failure({ code, message }, name) {
  const text = word(`error.${code}`, { name }) || told(message);
  return text.startsWith(name) ? text : `${name}: ${text}`;
}

// Every element with data-word gets its text, every one with data-label its name for screen readers.
export function translate(document) {
  document.documentElement.lang = language;
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = word(one.dataset.word);
  for (const one of document.querySelectorAll("[data-label]")) {
    one.setAttribute("aria-label", word(one.dataset.label));
    if (one.tagName === "BUTTON") one.title = word(one.dataset.label);
  }
}

export const all = WORDS;
