#include "learn/data/held_samples.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace troupe::learn {

namespace {

/// Some samples of a set, each at hand.
class pinned_samples final : public dataset {
public:
  struct place {
    uint32_t id;
    stored_samples what;
  };

  pinned_samples(const set_description& set, std::vector<place> places)
    : set_(set), normalise_(set_.form.lines), places_(std::move(places)) {
    std::sort(places_.begin(), places_.end(), [](const place& a, const place& b) { return a.id < b.id; });
  }

  [[nodiscard]] size_t size() const override { return set_.size; }
  [[nodiscard]] sample_shape shape() const override { return set_.shape; }
  [[nodiscard]] int classes() const override { return set_.classes; }
  [[nodiscard]] int32_t label(size_t id) const override { return *find(id).labels; }
  [[nodiscard]] sample_form form() const override { return set_.form; }
  void read(size_t id, float* out) const override {
    const std::byte* stored = find(id).values;
    if (set_.form.lines.empty())
      std::memcpy(out, stored, set_.shape.size() * sizeof(float));
    else
      normalise_.apply(reinterpret_cast<const uint8_t*>(stored),
                       static_cast<size_t>(set_.shape.height) * static_cast<size_t>(set_.shape.width), out);
  }
  void read_stored(size_t id, std::byte* out) const override {
    std::memcpy(out, find(id).values, set_.form.bytes(set_.shape));
  }

private:
  [[nodiscard]] const stored_samples& find(size_t id) const {
    const auto at =
      std::lower_bound(places_.begin(), places_.end(), id, [](const place& a, size_t wanted) { return a.id < wanted; });
    assert(at != places_.end() && at->id == id);
    return at->what;
  }

  set_description set_;
  normalisation normalise_;
  std::vector<place> places_; // by id
};

} // namespace

held_samples::held_samples(set_description what) : set_(std::move(what)), sample_bytes_(set_.form.bytes(set_.shape)) {
  assert(set_.form.lines.empty() || set_.form.lines.size() == static_cast<size_t>(set_.shape.channels));
}

stored_samples held_samples::behind(const stored_samples& all, size_t samples) const {
  return {all.values + samples * sample_bytes_, all.labels + samples, all.owner, all.in_file};
}

void held_samples::keep(id_range which, stored_samples what) {
  assert(which.first < which.last && which.last <= set_.size);
  const std::lock_guard guard{mutex_};
  shards_[which.first] = {which.last, std::move(what)};
}

void held_samples::drop(id_range which) {
  const std::lock_guard guard{mutex_};
  shards_.erase(which.first);
}

void held_samples::keep(std::span<const uint32_t> ids, const stored_samples& what, uint64_t step) {
  const std::lock_guard guard{mutex_};
  for (size_t i = 0; i < ids.size(); ++i) {
    assert(ids[i] < set_.size);
    auto& known = singles_[ids[i]];
    known.step = std::max(known.step, step);
    known.what = behind(what, i);
  }
}

void held_samples::drop_before(uint64_t step) {
  const std::lock_guard guard{mutex_};
  std::erase_if(singles_, [&](const auto& x) { return x.second.step < step; });
}

void held_samples::clear() {
  const std::lock_guard guard{mutex_};
  shards_.clear();
  singles_.clear();
}

// With the lock.
stored_samples held_samples::find(size_t id) const {
  auto after = shards_.upper_bound(id);
  if (after != shards_.begin())
    if (const auto& [first, shard] = *std::prev(after); id < shard.last)
      return behind(shard.what, id - first);
  const auto alone = singles_.find(static_cast<uint32_t>(id));
  return alone == singles_.end() ? stored_samples{} : alone->second.what;
}

held_samples::pinned held_samples::pin(std::span<const uint32_t> ids) const {
  pinned result;
  std::vector<pinned_samples::place> places;
  places.reserve(ids.size());
  {
    const std::lock_guard guard{mutex_};
    for (const uint32_t id : ids) {
      auto what = find(id);
      if (what.values == nullptr)
        result.missing.push_back(id);
      else
        places.push_back({id, std::move(what)});
    }
  }
  if (result.missing.empty())
    result.samples = std::make_shared<pinned_samples>(set_, std::move(places));
  return result;
}

stored_samples held_samples::part(id_range which) const {
  const std::lock_guard guard{mutex_};
  auto after = shards_.upper_bound(which.first);
  if (after == shards_.begin())
    return {};
  const auto& [first, shard] = *std::prev(after);
  return which.last <= shard.last ? behind(shard.what, which.first - first) : stored_samples{};
}

size_t held_samples::bytes() const {
  const std::lock_guard guard{mutex_};
  size_t samples = singles_.size();
  for (const auto& [first, shard] : shards_)
    samples += shard.what.in_file ? 0 : shard.last - first;
  return samples * (sample_bytes_ + sizeof(int32_t));
}

} // namespace troupe::learn
