#include "actors/link_hello.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <string_view>

namespace troupe {
namespace {

// Begins with a byte that no TLS record and no text begins with.
constexpr auto magic = std::array<uint8_t, 8>{0xB5, 'T', 'r', 'o', 'u', 'p', 'e', '\n'};
constexpr size_t most_text_bytes = 120;

static_assert(magic.size() + sizeof(uint16_t) == hello_prefix_bytes);
static_assert(hello_prefix_bytes + 4 + 3 * (1 + most_text_bytes) + 8 + 16 + 32 + 1 <= most_hello_bytes);

void put(std::vector<uint8_t>& out, uint64_t number, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i)
    out.push_back(static_cast<uint8_t>(number >> (8 * i)));
}

void put(std::vector<uint8_t>& out, std::string_view text) {
  auto size = std::min(text.size(), most_text_bytes);
  put(out, size, 1);
  out.insert(out.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
}

// Takes fields off the front. After the first that is not there, all are empty.
class reader {
public:
  explicit reader(std::span<const uint8_t> bytes) : left_(bytes) {}

  uint64_t number(size_t bytes) {
    auto from = take(bytes);
    auto result = uint64_t{0};
    for (size_t i = 0; i < from.size(); ++i)
      result |= uint64_t{from[i]} << (8 * i);
    return result;
  }

  std::string text() {
    auto size = number(1);
    auto from = take(size > most_text_bytes ? left_.size() + 1 : size);
    auto result = std::string(from.begin(), from.end());
    // It goes into sentences that are printed.
    std::replace_if(
      result.begin(), result.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return result;
  }

  template <size_t N>
  std::array<uint8_t, N> array() {
    auto result = std::array<uint8_t, N>{};
    auto from = take(N);
    std::copy(from.begin(), from.end(), result.begin());
    return result;
  }

  [[nodiscard]] bool is_good() const { return good_; }
  [[nodiscard]] bool is_empty() const { return left_.empty(); }

private:
  std::span<const uint8_t> take(size_t bytes) {
    good_ = good_ && bytes <= left_.size();
    if (!good_)
      return {};
    auto result = left_.first(bytes);
    left_ = left_.subspan(bytes);
    return result;
  }

  std::span<const uint8_t> left_;
  bool good_ = true;
};

} // namespace

std::vector<uint8_t> encode(const link_hello& hello) {
  auto out = std::vector<uint8_t>(magic.begin(), magic.end());
  put(out, 0, 2); // the size
  put(out, hello.protocol, 4);
  put(out, hello.version);
  put(out, hello.job);
  put(out, hello.node);
  put(out, hello.process, 8);
  out.insert(out.end(), hello.nonce.begin(), hello.nonce.end());
  out.insert(out.end(), hello.fingerprint.begin(), hello.fingerprint.end());
  put(out, hello.has_secret ? 1 : 0, 1);
  out[magic.size()] = static_cast<uint8_t>(out.size());
  out[magic.size() + 1] = static_cast<uint8_t>(out.size() >> 8);
  return out;
}

std::optional<size_t> hello_size(std::span<const uint8_t> prefix) {
  if (prefix.size() < hello_prefix_bytes || !std::equal(magic.begin(), magic.end(), prefix.begin()))
    return std::nullopt;
  auto size = static_cast<size_t>(prefix[magic.size()] | (prefix[magic.size() + 1] << 8));
  return size > hello_prefix_bytes && size <= most_hello_bytes ? std::optional{size} : std::nullopt;
}

expected<link_hello> decode_hello(std::span<const uint8_t> bytes) {
  if (hello_size(bytes) != bytes.size())
    return fail("its hello is damaged");
  auto in = reader{bytes.subspan(hello_prefix_bytes)};
  auto result = link_hello{};
  result.protocol = static_cast<uint32_t>(in.number(4));
  result.version = in.text();
  if (in.is_good() && result.protocol != protocol_version)
    return result;
  result.job = in.text();
  result.node = in.text();
  result.process = in.number(8);
  result.nonce = in.array<16>();
  result.fingerprint = in.array<32>();
  auto secret = in.number(1);
  result.has_secret = secret == 1;
  if (!in.is_good() || !in.is_empty() || secret > 1)
    return fail("its hello is damaged");
  return result;
}

expected<void> check(const link_hello& ours, const link_hello& theirs, const certificate_facts* shown) {
  if (theirs.protocol != ours.protocol)
    return fail(
      fmt::format("it runs troupe {} (protocol {}), this is troupe {} (protocol {}); install the same version on all "
                  "hosts",
                  theirs.version, theirs.protocol, ours.version, ours.protocol));
  if (theirs.process == ours.process)
    return fail("it is this process itself");
  if (theirs.has_secret != ours.has_secret)
    return fail(theirs.has_secret ? "it takes only processes of its own run" : "it is not a process of this run");
  auto none = certificate_facts{};
  auto& certificate = shown != nullptr ? *shown : none;
  if (theirs.fingerprint != certificate.fingerprint)
    return fail("its hello names another certificate than the one it has shown");
  if (theirs.job != certificate.job || theirs.job != ours.job)
    return fail(fmt::format("its certificate is for job \"{}\", and this is job \"{}\"", certificate.job, ours.job));
  auto& names = certificate.names;
  if (shown != nullptr && std::find(names.begin(), names.end(), theirs.node) == names.end())
    return fail(fmt::format("it says that it is {}, and its certificate does not", theirs.node));
  return {};
}

} // namespace troupe
