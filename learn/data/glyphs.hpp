#pragma once

#include <span>

namespace troupe::learn {

/// A point in the box that a digit is written in: x to the right, y down, both 0 to 1.
struct point {
  float x = 0;
  float y = 0;
};

/// A line drawn without lifting the pen; smooth through its points. Corners are where one stroke ends and the next
/// begins.
using stroke = std::span<const point>;

/// One way of writing a digit.
using glyph = std::span<const stroke>;

/// The ways of writing `digit` (0 to 9).
std::span<const glyph> glyphs_of(int digit);

} // namespace troupe::learn
