// Elements, made by name and filled with text, never with markup; numbers in words; figures decoded.
var lsml = { lists: [] }; // the lists that the search goes through
(function () {
  "use strict";
  var DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";
  var NONE = "–";

  lsml.fill = function (element, attributes, children) {
    Object.keys(attributes || {}).forEach(function (key) {
      if (attributes[key] !== null && attributes[key] !== undefined) element.setAttribute(key, attributes[key]);
    });
    [].concat(children === undefined ? [] : children).forEach(function (child) {
      if (child !== null && child !== undefined) element.append(child);
    });
    return element;
  };

  lsml.make = function (name, attributes, children) {
    return lsml.fill(document.createElement(name), attributes, children);
  };
  lsml.foreign = function (text) {
    return lsml.make("bdi", null, String(text));
  };
  // ---- numbers
  function isNumber(value) {
    return typeof value === "number" && isFinite(value);
  }
  lsml.isNumber = isNumber;
  lsml.count = function (value) {
    return isNumber(value) ? Math.round(value).toLocaleString("en-US") : NONE;
  };
  lsml.percent = function (value) {
    if (!isNumber(value)) return NONE;
    var size = Math.abs(value) * 100;
    if (size === 0 || size >= 10) return (value * 100).toFixed(1) + "\u00a0%";
    return size >= 0.005 ? (value * 100).toFixed(2) + "\u00a0%" : "<\u00a00.01\u00a0%";
  };
  // A figure of a metric; `instant` is the night's midnight in milliseconds where the figure is seconds from it.
  lsml.figure = function (value, metric, instant) {
    if (!isNumber(value)) return NONE;
    if (instant !== undefined && (metric === "min" || metric === "max")) return lsml.instant(value, instant);
    if (/share$/.test(metric || "")) return lsml.percent(value);
    if (Number.isInteger(value) || Math.abs(value) >= 10000) return lsml.count(value);
    var size = Math.abs(value);
    if (size < 0.0001) return value.toExponential(2);
    return Number(value.toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 8 }).replace("-", "−");
  };
  // The time of day within the night's own day, else the date.
  lsml.instant = function (seconds, midnight) {
    var text = new Date(midnight + seconds * 1000).toISOString();
    return seconds >= 0 && seconds < 86400 ? text.slice(11, 16) : text.slice(0, 10) + " " + text.slice(11, 16);
  };

  // ---- figures, coded as lsml_spark/report/series.py says: one number, or [now, last, low, high, text]
  function decode(text, low, high, digits) {
    var steps = Math.pow(63, digits) - 1,
      values = [];
    for (var start = 0; start < text.length; start += digits) {
      var level = 0;
      for (var place = start; place < start + digits; place++) level = level * 63 + DIGITS.indexOf(text.charAt(place));
      values.push(text.charAt(start) === "." ? null : low + ((high - low) * level) / steps);
    }
    return values;
  }
  var COUNTS = /^(rows|clean|quarantined|missing|distinct|nan|infinite|zeros|negative|empty|true)$/,
    LENGTHS = /^(stddev|mad|length_.*|size_.*)$/,
    SHARE = /share$/;
  // `metric`: of shares and counts the usual range has a least width, as series.py says.
  lsml.read = function (figure, metric) {
    if (isNumber(figure)) return { now: figure, last: figure, text: null, side: 0, constant: true };
    if (!figure) return { now: null, last: null, text: null, side: 0 };
    var found = { now: figure[0], last: figure[1], from: figure[2], to: figure[3], text: figure[4] || null, side: 0 };
    if (found.text && found.text.charAt(0) !== ".") {
      var median = decode(found.text.slice(0, 2), found.from, found.to, 2)[0];
      var least = SHARE.test(metric) ? 0.01 : COUNTS.test(metric) ? Math.max(3, 0.05 * Math.abs(median)) : 0;
      var reach = Math.max(least, lsml.width * decode(found.text.slice(2, 4), 0, found.to - found.from, 2)[0]);
      found.low = median - reach;
      found.high = median + reach;
      var off = found.now - median;
      if (metric === "quarantined") found.low = 0; // no night has too few of them, or too many rows kept
      if (metric === "kept_share") found.high = 1;
      var fine = (metric === "quarantined" && off < 0) || (metric === "kept_share" && off > 0);
      if (!fine && isNumber(found.now) && Math.abs(off) > reach + 1e-3 * (found.to - found.from)) found.side = off > 0 ? 1 : -1;
    }
    return found;
  };
  lsml.values = function (figure) {
    return figure.text ? decode(figure.text.slice(4), figure.from, figure.to, lsml.digits) : [];
  };
  lsml.usual = function (figure, metric, instant) {
    if (!isNumber(figure.low)) return NONE;
    var low = figure.low,
      high = figure.high,
      share = SHARE.test(metric);
    if (low < 0 && (share || COUNTS.test(metric) || LENGTHS.test(metric))) low = 0;
    if (high > 1 && share) high = 1;
    if (!share && !instant && high - low > 20) {
      low = Math.round(low);
      return lsml.figure(low, metric) + " to " + lsml.count(high);
    }
    return lsml.figure(low, metric, instant) + " to " + lsml.figure(high, metric, instant);
  };
  lsml.side = function (side) {
    return side
      ? lsml.make("span", { class: "side" }, [
          side > 0 ? "▲" : "▼",
          lsml.make("span", { class: "sr" }, side > 0 ? " above the usual" : " below the usual")
        ])
      : null;
  };
})();
