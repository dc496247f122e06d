#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "learn/layout.hpp"

struct evp_md_ctx_st;

namespace troupe::learn {

/// SHA-256 (FIPS 180-4) of bytes that arrive in pieces.
class sha256 {
public:
  sha256();
  void update(std::span<const std::byte> bytes);
  /// 64 lower-case hexadecimal digits. Call once; nothing may be added afterwards.
  [[nodiscard]] std::string hex();

private:
  struct release {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, release> context_;
};

/// What `weights_sha256` in reports and checkpoints is. Hashed is, for each slice in layout order (trainable ones
/// first, then statistics): the length of its name and its name, the number of its dimensions and each dimension, and
/// its values. All numbers of the description are 64-bit little-endian; values are raw little-endian IEEE f32,
/// row-major. Padding is not hashed, so the digest does not depend on alignment or on how the buffer is cut into
/// blocks.
std::string weights_sha256(const layout& of, std::span<const float> parameters);

/// The same from one span per block, in the order of `layout::blocks()`.
std::string weights_sha256(const layout& of, std::span<const std::span<const float>> blocks);

/// The same without the values: names, kinds and shapes of a model.
std::string layout_sha256(const layout& of);

} // namespace troupe::learn
