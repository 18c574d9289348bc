// Small drawings from plain values. Tonight is filled, the last good night is a dashed outline, the usual range is a shaded band:
// no meaning is in colour alone.
(function () {
  "use strict";
  var SVG = "http://www.w3.org/2000/svg",
    isNumber = lsml.isNumber;
  function shape(name, attributes, children) {
    return lsml.fill(document.createElementNS(SVG, name), attributes, children);
  }
  function picture(className, width, height, children, label) {
    var attributes = {
      class: className,
      viewBox: "0 0 " + width + " " + height,
      preserveAspectRatio: "none",
      focusable: "false"
    };
    if (label) {
      attributes.role = "img";
      attributes["aria-label"] = label;
    } else attributes["aria-hidden"] = "true";
    return shape("svg", attributes, children);
  }

  // Nights from left to right, the usual range behind them, tonight a dot.
  lsml.trend = function (figure, metric, instant) {
    var values = lsml.values(figure),
      known = values.filter(isNumber);
    if (known.length < 2) return null;
    var low = Math.min.apply(null, known),
      high = Math.max.apply(null, known);
    var room = (high - low || 1) * 0.12,
      top = high + room,
      whole = high - low + 2 * room;
    function y(value) {
      return Math.max(-2, Math.min(42, ((top - value) / whole) * 40));
    }
    var width = Math.max(1, values.length - 1),
      path = "",
      open = false,
      parts = [];
    values.forEach(function (value, night) {
      if (isNumber(value)) path += (open ? "L" : "M") + night + "," + y(value).toFixed(1) + (open ? "" : "h0");
      open = isNumber(value);
    });
    if (isNumber(figure.low)) {
      var from = y(figure.high),
        to = y(figure.low);
      parts.push(
        shape("rect", { class: "band", x: 0, width: width, y: from.toFixed(1), height: Math.max(0.8, to - from).toFixed(1) })
      );
    }
    parts.push(shape("path", { class: "nights", d: path }));
    var last = values[values.length - 1];
    if (isNumber(last))
      parts.push(
        shape("path", { class: "tonight" + (figure.side ? " outside" : ""), d: "M" + width + "," + y(last).toFixed(1) + "h0" })
      );
    var words = known.length + " nights from " + lsml.figure(low, metric, instant) + " to " + lsml.figure(high, metric, instant);
    var drawn = picture("trend", width, 40, parts, "Trend: " + words);
    drawn.lsmlTell = function (share) {
      var night = Math.round(share * width),
        value = values[night];
      return (
        lsml.nights[night] +
        ": " +
        (isNumber(value)
          ? (lsml.digits === 1 && night < width ? "about " : "") + lsml.figure(value, metric, instant)
          : "no value")
      );
    };
    return drawn;
  };

  // Shares of both nights over the same places: bars tonight, a dashed outline for the last good night.
  lsml.bars = function (now, last, className, label) {
    var places = (now || last).length,
      most = Math.max.apply(null, (now || []).concat(last || [], [0.0001])),
      gap = places > 40 ? 0 : 0.14;
    var filled = "",
      outline = "";
    (now || []).forEach(function (share, place) {
      if (share > 0)
        filled +=
          "M" +
          (place + gap).toFixed(2) +
          ",40V" +
          (40 - (share / most) * 39).toFixed(1) +
          "H" +
          (place + 1 - gap).toFixed(2) +
          "V40Z";
    });
    (last || []).forEach(function (share, place) {
      outline += (place ? "V" : "M0,") + (40 - (share / most) * 39).toFixed(1) + "H" + (place + 1);
    });
    var parts = [];
    if (filled) parts.push(shape("path", { class: "now", d: filled }));
    if (outline) parts.push(shape("path", { class: "last", d: outline }));
    return picture("bars-of " + className, places, 40, parts, label);
  };

  // One share tonight as a bar, the last good night's as a mark on it; `most` is the full width.
  lsml.meter = function (now, last, most) {
    var parts = [shape("rect", { class: "now", width: ((100 * (now || 0)) / most).toFixed(1), height: 10 })];
    if (isNumber(last)) parts.push(shape("path", { class: "mark", d: "M" + ((100 * last) / most).toFixed(1) + ",0V10" }));
    return picture("meter-of", 100, 10, parts);
  };

  // Curves over two logarithmic axes.
  lsml.loglog = function (curves, label) {
    var points = curves.reduce(function (all, curve) {
      return all.concat(curve || []);
    }, []);
    function reach(axis) {
      return (
        Math.max.apply(
          null,
          points.map(function (point) {
            return Math.log10(Math.max(1, point[axis]));
          })
        ) || 1
      );
    }
    var right = reach(0),
      top = reach(1) * 1.04,
      parts = [];
    for (var power = 0; power <= right; power++)
      parts.push(shape("path", { class: "grid", d: "M" + ((power / right) * 100).toFixed(2) + ",0V100" }));
    for (power = 0; power <= top; power++)
      parts.push(shape("path", { class: "grid", d: "M0," + (100 - (power / top) * 100).toFixed(2) + "H100" }));
    curves
      .slice()
      .reverse()
      .forEach(function (curve, place) {
        if (!curve) return;
        var path = curve
          .map(function (point) {
            return (
              ((Math.log10(Math.max(1, point[0])) / right) * 100).toFixed(2) +
              "," +
              (100 - (Math.log10(Math.max(1, point[1])) / top) * 100).toFixed(2)
            );
          })
          .join("L");
        parts.push(shape("path", { class: place === curves.length - 1 ? "curve" : "curve last", d: "M" + path }));
      });
    return { drawn: picture("loglog", 100, 100, parts, label), right: Math.pow(10, right), top: Math.pow(10, top / 1.04) };
  };
})();
