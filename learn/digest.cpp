#include "learn/digest.hpp"

#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <new>
#include <openssl/evp.h>
#include <stdexcept>
#include <vector>

namespace troupe::learn {

static_assert(std::endian::native == std::endian::little, "files and digests hold the bytes of the host as they are");

namespace {

// OpenSSL's digest calls fail only for lack of memory or a broken installation.
void check(int result) {
  if (result != 1)
    throw std::runtime_error("OpenSSL cannot compute SHA-256");
}

void update(sha256& hash, uint64_t number) {
  hash.update(std::as_bytes(std::span{&number, 1}));
}

void update_description(sha256& hash, const slice& s) {
  update(hash, s.name.size());
  hash.update(std::as_bytes(std::span{s.name}));
  update(hash, s.dims.size());
  for (const int64_t dim : s.dims)
    update(hash, static_cast<uint64_t>(dim));
}

} // namespace

void sha256::release::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

sha256::sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_)
    throw std::bad_alloc();
  check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void sha256::update(std::span<const std::byte> bytes) {
  check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

std::string sha256::hex() {
  std::array<unsigned char, 32> digest{};
  check(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr));
  std::string text;
  for (const unsigned char byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string weights_sha256(const layout& of, std::span<const float> parameters) {
  assert(parameters.size() == of.size());
  std::vector<std::span<const float>> blocks;
  for (const block& b : of.blocks())
    blocks.push_back(parameters.subspan(b.offset, b.size));
  return weights_sha256(of, blocks);
}

std::string weights_sha256(const layout& of, std::span<const std::span<const float>> blocks) {
  assert(blocks.size() == of.blocks().size());
  sha256 hash;
  // Blocks are runs of whole slices, in layout order.
  for (size_t i = 0; i < blocks.size(); ++i) {
    const block& b = of.blocks()[i];
    assert(blocks[i].size() == b.size);
    for (const slice& s : of.slices().subspan(b.first, b.last - b.first)) {
      update_description(hash, s);
      hash.update(std::as_bytes(blocks[i].subspan(s.offset - b.offset, s.size)));
    }
  }
  return hash.hex();
}

std::string layout_sha256(const layout& of) {
  sha256 hash;
  for (const slice& s : of.slices()) {
    update_description(hash, s);
    update(hash, static_cast<uint64_t>(s.kind));
  }
  return hash.hex();
}

} // namespace troupe::learn
