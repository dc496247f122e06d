#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace troupe {

/// What went wrong, as one sentence that says what is wrong and what to do. The cause chain, if any, is part of the
/// sentence: "cannot read x.bin: it ends after 12 of 16 bytes".
struct failure {
  std::string sentence;
};

/// A value or the sentence why there is none. For mistakes of a caller and for what the world refuses; a bug of ours is
/// an assertion instead.
template <class T>
using expected = tl::expected<T, failure>;

/// Shorthand: `return fail("batch 100 is not a multiple of micro-batch 32: choose …")`.
inline tl::unexpected<failure> fail(std::string sentence) {
  return tl::unexpected<failure>(failure{std::move(sentence)});
}

} // namespace troupe
