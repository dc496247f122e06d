#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "messages/failure.hpp"
#include "messages/payload.hpp"

namespace troupe::learn {

/// How gradients are made smaller on their way. All of them lose something; `error_feedback` makes up for it later.
enum class compression_kind : uint8_t {
  none,
  bf16,  ///< n/2 of the bytes
  f16,   ///< n/2, finer than bf16 between 2^-14 and 65504
  int8,  ///< n/4 and a scale for every 256 values
  top_k, ///< the largest values, 8 bytes each (Aji & Heafield 2017)
};

struct compression_options {
  compression_kind kind = compression_kind::none;
  float keep = 0.01f; ///< top_k: which part of the values, at least one

  bool operator==(const compression_options&) const = default;
};

/// "none", "bf16", "f16", "int8", "topk" or "topk:0.05"; else one sentence.
expected<compression_options> parse_compression(const std::string& text);
std::string to_string(const compression_options& how);

/// Bytes that `n` values take.
size_t compressed_bytes(const compression_options& how, size_t n);

/// Whether this is what `n` values can have been compressed to; for what comes from the wire.
bool is_compressed(const compression_options& how, size_t n, const payload& from);

/// `to`: (n) f32. `from` was looked at by `is_compressed`.
void decompress(const compression_options& how, const payload& from, payload& to);

/// Compresses the gradients of one agent, block by block, and remembers what that leaves out of each, to add it to the
/// block's next one (Seide et al. 2014; Karimireddy et al. 2019). What is remembered is lost with its owner. Not
/// thread-safe; used by one stream.
class error_feedback {
public:
  explicit error_feedback(compression_options how) : how_(how) {}

  /// (bytes) u8. A gradient that is not finite comes back as it is, and changes nothing.
  payload compress(size_t block, const payload& gradient);
  /// The run went back: what was left out of what no longer counts is void.
  void forget() { left_out_.clear(); }

private:
  compression_options how_;
  std::map<size_t, payload> left_out_;
};

} // namespace troupe::learn
