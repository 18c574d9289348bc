// Numbers in words and small drawings, all from plain values: elements are made by name and filled with text, never with markup.
// Tonight is filled, the last good night is a dashed outline, the usual range is a shaded band: no meaning is in colour alone.
var lsml = {};
(function () {
  "use strict";
  var SVG = "http://www.w3.org/2000/svg";
  var DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";
  var NONE = "–";

  function fill(element, attributes, children) {
    Object.keys(attributes || {}).forEach(function (key) {
      if (attributes[key] !== null && attributes[key] !== undefined) element.setAttribute(key, attributes[key]);
    });
    [].concat(children === undefined ? [] : children).forEach(function (child) {
      if (child !== null && child !== undefined) element.append(child);
    });
    return element;
  }

  lsml.make = function (name, attributes, children) { return fill(document.createElement(name), attributes, children); };
  lsml.foreign = function (text) { return lsml.make("bdi", null, String(text)); };
  function shape(name, attributes, children) { return fill(document.createElementNS(SVG, name), attributes, children); }
  function picture(className, width, height, children, label) {
    var attributes = { class: className, viewBox: "0 0 " + width + " " + height, preserveAspectRatio: "none", focusable: "false" };
    if (label) { attributes.role = "img"; attributes["aria-label"] = label; } else attributes["aria-hidden"] = "true";
    return shape("svg", attributes, children);
  }

  // ---- numbers
  function isNumber(value) { return typeof value === "number" && isFinite(value); }
  lsml.isNumber = isNumber;
  lsml.count = function (value) { return isNumber(value) ? Math.round(value).toLocaleString("en-US") : NONE; };
  lsml.percent = function (value) {
    if (!isNumber(value)) return NONE;
    var size = Math.abs(value) * 100;
    if (size === 0 || size >= 10) return (value * 100).toFixed(1) + " %";
    return size >= 0.005 ? (value * 100).toFixed(2) + " %" : "< 0.01 %";
  };
  // A figure of a metric; `instant` is the night's midnight in milliseconds where the figure is seconds from it.
  lsml.figure = function (value, metric, instant) {
    if (!isNumber(value)) return NONE;
    if (instant !== undefined && (metric === "min" || metric === "max")) return lsml.instant(value, instant);
    if (/share$/.test(metric || "")) return lsml.percent(value);
    if (Number.isInteger(value) || Math.abs(value) >= 10000) return lsml.count(value);
    var size = Math.abs(value);
    if (size < 0.0001) return value.toExponential(2);
    return String(Number(value.toPrecision(4))).replace("-", "−");
  };
  // The time of day within the night's own day, else the date.
  lsml.instant = function (seconds, midnight) {
    var text = new Date(midnight + seconds * 1000).toISOString();
    return seconds >= 0 && seconds < 86400 ? text.slice(11, 16) : text.slice(0, 10) + " " + text.slice(11, 16);
  };

  // ---- figures, coded as lsml_spark/report/series.py says: one number, or [now, last, low, high, text]
  function decode(text, low, high, digits) {
    var steps = Math.pow(63, digits) - 1, values = [];
    for (var start = 0; start < text.length; start += digits) {
      var level = 0;
      for (var place = start; place < start + digits; place++) level = level * 63 + DIGITS.indexOf(text.charAt(place));
      values.push(text.charAt(start) === "." ? null : low + (high - low) * level / steps);
    }
    return values;
  }
  lsml.read = function (figure) {
    if (isNumber(figure)) return { now: figure, last: figure, text: null, side: 0, constant: true };
    if (!figure) return { now: null, last: null, text: null, side: 0 };
    var found = { now: figure[0], last: figure[1], from: figure[2], to: figure[3], text: figure[4] || null, side: 0 };
    if (found.text && found.text.charAt(0) !== ".") {
      var median = decode(found.text.slice(0, 2), found.from, found.to, 2)[0];
      var reach = lsml.width * decode(found.text.slice(2, 4), 0, found.to - found.from, 2)[0];
      found.low = median - reach;
      found.high = median + reach;
      var off = found.now - median;
      if (isNumber(found.now) && Math.abs(off) > reach + 1e-3 * (found.to - found.from)) found.side = off > 0 ? 1 : -1;
    }
    return found;
  };
  lsml.values = function (figure) { return figure.text ? decode(figure.text.slice(4), figure.from, figure.to, lsml.digits) : []; };
  lsml.usual = function (figure, metric, instant) {
    if (!isNumber(figure.low)) return NONE;
    var low = figure.low, whole = /^(missing|distinct|nan|infinite|zeros|negative|empty|true|rows|clean|quarantined|size_min|length_min)$/;
    if (low < 0 && (whole.test(metric) || /share$/.test(metric))) low = 0;
    if (!/share$/.test(metric) && !instant && figure.high - low > 20) { low = Math.round(low); return lsml.figure(low, metric) + " to " + lsml.count(figure.high); }
    return lsml.figure(low, metric, instant) + " to " + lsml.figure(figure.high, metric, instant);
  };
  lsml.side = function (side) {
    return side ? lsml.make("span", { class: "side" }, [side > 0 ? "▲" : "▼", lsml.make("span", { class: "sr" }, side > 0 ? " above the usual" : " below the usual")]) : null;
  };

  // ---- drawings
  // Nights from left to right, the usual range behind them, tonight a dot.
  lsml.trend = function (figure, metric, instant) {
    var values = lsml.values(figure), known = values.filter(isNumber);
    if (known.length < 2) return null;
    var low = Math.min.apply(null, known), high = Math.max.apply(null, known);
    var room = (high - low || 1) * 0.12, top = high + room, whole = high - low + 2 * room;
    function y(value) { return Math.max(-2, Math.min(42, (top - value) / whole * 40)); }
    var width = Math.max(1, values.length - 1), path = "", open = false, parts = [];
    values.forEach(function (value, night) {
      if (isNumber(value)) path += (open ? "L" : "M") + night + "," + y(value).toFixed(1) + (open ? "" : "h0");
      open = isNumber(value);
    });
    if (isNumber(figure.low)) {
      var from = y(figure.high), to = y(figure.low);
      parts.push(shape("rect", { class: "band", x: 0, width: width, y: from.toFixed(1), height: Math.max(0.8, to - from).toFixed(1) }));
    }
    parts.push(shape("path", { class: "nights", d: path }));
    var last = values[values.length - 1];
    if (isNumber(last)) parts.push(shape("path", { class: "tonight" + (figure.side ? " outside" : ""), d: "M" + width + "," + y(last).toFixed(1) + "h0" }));
    var words = known.length + " nights from " + lsml.figure(low, metric, instant) + " to " + lsml.figure(high, metric, instant);
    var drawn = picture("trend", width, 40, parts, "Trend: " + words);
    drawn.lsmlTell = function (share) {
      var night = Math.round(share * width), value = values[night];
      return lsml.nights[night] + ": " + (isNumber(value) ? (lsml.digits === 1 && night < width ? "about " : "") + lsml.figure(value, metric, instant) : "no value");
    };
    return drawn;
  };

  // Shares of both nights over the same places: bars tonight, a dashed outline for the last good night.
  lsml.bars = function (now, last, className, label) {
    var places = (now || last).length, most = Math.max.apply(null, (now || []).concat(last || [], [0.0001])), gap = places > 40 ? 0 : 0.14;
    var filled = "", outline = "";
    (now || []).forEach(function (share, place) {
      if (share > 0) filled += "M" + (place + gap).toFixed(2) + ",40V" + (40 - share / most * 39).toFixed(1) + "H" + (place + 1 - gap).toFixed(2) + "V40Z";
    });
    (last || []).forEach(function (share, place) { outline += (place ? "V" : "M0,") + (40 - share / most * 39).toFixed(1) + "H" + (place + 1); });
    var parts = [];
    if (filled) parts.push(shape("path", { class: "now", d: filled }));
    if (outline) parts.push(shape("path", { class: "last", d: outline }));
    return picture("bars-of " + className, places, 40, parts, label);
  };

  // One share tonight as a bar, the last good night's as a mark on it; `most` is the full width.
  lsml.meter = function (now, last, most) {
    var parts = [shape("rect", { class: "now", width: (100 * (now || 0) / most).toFixed(1), height: 10 })];
    if (isNumber(last)) parts.push(shape("path", { class: "mark", d: "M" + (100 * last / most).toFixed(1) + ",0V10" }));
    return picture("meter-of", 100, 10, parts);
  };

  // Curves over two logarithmic axes.
  lsml.loglog = function (curves, label) {
    var points = curves.reduce(function (all, curve) { return all.concat(curve || []); }, []);
    function reach(axis) { return Math.max.apply(null, points.map(function (point) { return Math.log10(Math.max(1, point[axis])); })) || 1; }
    var right = reach(0), top = reach(1) * 1.04, parts = [];
    for (var power = 0; power <= right; power++) parts.push(shape("path", { class: "grid", d: "M" + (power / right * 100).toFixed(2) + ",0V100" }));
    for (power = 0; power <= top; power++) parts.push(shape("path", { class: "grid", d: "M0," + (100 - power / top * 100).toFixed(2) + "H100" }));
    curves.slice().reverse().forEach(function (curve, place) {
      if (!curve) return;
      var path = curve.map(function (point) {
        return (Math.log10(Math.max(1, point[0])) / right * 100).toFixed(2) + "," + (100 - Math.log10(Math.max(1, point[1])) / top * 100).toFixed(2);
      }).join("L");
      parts.push(shape("path", { class: place === curves.length - 1 ? "curve" : "curve last", d: "M" + path }));
    });
    return { drawn: picture("loglog", 100, 100, parts, label), right: Math.pow(10, right), top: Math.pow(10, top / 1.04) };
  };
})();
