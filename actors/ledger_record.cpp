#include "actors/ledger_record.hpp"

#include <cstring>

#include "learn/checkpoint/frame.hpp"

namespace troupe {
namespace {

// What a payload begins with; the variant's index.
enum kind : uint32_t { head, committed, rewound };

template <class T>
void put(std::vector<std::byte>& to, T value) {
  auto at = to.size();
  to.resize(at + sizeof(value));
  std::memcpy(to.data() + at, &value, sizeof(value)); // little-endian, as every supported machine is
}

/// Takes numbers off the front; zeros once there are no more.
class taker {
public:
  explicit taker(std::span<const std::byte> from) : left_(from) {}

  template <class T>
  T take() {
    auto value = T{};
    whole_ = whole_ && left_.size() >= sizeof(T);
    if (!whole_)
      return value;
    std::memcpy(&value, left_.data(), sizeof(T));
    left_ = left_.subspan(sizeof(T));
    return value;
  }
  [[nodiscard]] bool at_end() const { return whole_ && left_.empty(); }
  [[nodiscard]] size_t left() const { return left_.size(); }

private:
  std::span<const std::byte> left_;
  bool whole_ = true;
};

constexpr size_t entry_bytes = 4 + 4 + 8 + 4 + 4;

void put(std::vector<std::byte>& to, const ledger_head& h) {
  put(to, static_cast<uint32_t>(h.order));
  for (uint64_t x :
       {h.seed, uint64_t{h.sizes.samples}, uint64_t{h.sizes.batch}, uint64_t{h.sizes.micro_batch}, h.first.value})
    put(to, x);
  if (!h.exchange.has_shards()) // as ever
    return;
  put(to, static_cast<uint32_t>(h.exchange.kind));
  put(to, static_cast<uint32_t>(h.exchange.shards));
}

void put(std::vector<std::byte>& to, const ledger_step& s) {
  to.reserve(to.size() + 24 + s.entries.size() * entry_bytes);
  put(to, static_cast<uint32_t>(s.skipped));
  put(to, s.at.value);
  put(to, s.rewound.value);
  for (auto& e : s.entries) {
    put(to, e.index);
    put(to, e.agent);
    put(to, e.incarnation.value);
    put(to, static_cast<uint32_t>(e.number.value));
    put(to, e.ids);
  }
}

void put(std::vector<std::byte>& to, const ledger_rewind& r) {
  put(to, r.to.value);
  put(to, r.rewound.value);
}

} // namespace

void append_frame(std::vector<std::byte>& to, const ledger_record& r) {
  auto payload = std::vector<std::byte>{};
  put(payload, static_cast<uint32_t>(r.index()));
  std::visit([&](auto& x) { put(payload, x); }, r);
  auto header = learn::make_frame_header(learn::frame_kind::ledger, payload);
  auto at = to.size();
  to.resize(at + header.size() + payload.size());
  std::memcpy(to.data() + at, header.data(), header.size());
  std::memcpy(to.data() + at + header.size(), payload.data(), payload.size());
}

expected<ledger_record> ledger_record_from(std::span<const std::byte> payload) {
  auto in = taker{payload};
  auto result = ledger_record{};
  switch (in.take<uint32_t>()) {
  case head: {
    auto h = ledger_head{};
    h.order = static_cast<learn::order_kind>(in.take<uint32_t>());
    h.seed = in.take<uint64_t>();
    h.sizes.samples = in.take<uint64_t>();
    h.sizes.batch = in.take<uint64_t>();
    h.sizes.micro_batch = in.take<uint64_t>();
    h.first.value = in.take<uint64_t>();
    if (in.left() > 0) {
      h.exchange.kind = static_cast<learn::exchange_kind>(in.take<uint32_t>());
      h.exchange.shards = in.take<uint32_t>();
    }
    if (h.exchange.kind > learn::exchange_kind::rotating || h.exchange.shards == 0)
      return fail("it was written by another version");
    if (h.sizes.samples == 0 || h.sizes.batch == 0 || h.sizes.micro_batch == 0 || h.sizes.samples > UINT32_MAX)
      return fail("it was written by another version");
    result = h;
    break;
  }
  case committed: {
    auto s = ledger_step{};
    s.skipped = in.take<uint32_t>() != 0;
    s.at.value = in.take<uint64_t>();
    s.rewound.value = in.take<uint64_t>();
    for (auto n = in.left() / entry_bytes; n > 0; --n) {
      auto e = ledger_entry{};
      e.index = in.take<uint32_t>();
      e.agent = in.take<uint32_t>();
      e.incarnation.value = in.take<uint64_t>();
      e.number.value = in.take<uint32_t>();
      e.ids = in.take<uint32_t>();
      s.entries.push_back(e);
    }
    result = std::move(s);
    break;
  }
  case rewound:
    result = ledger_rewind{{in.take<uint64_t>()}, {}};
    std::get<ledger_rewind>(result).rewound.value = in.take<uint64_t>();
    break;
  default:
    return fail("it was written by another version");
  }
  if (!in.at_end())
    return fail("it was written by another version");
  return result;
}

} // namespace troupe
