#include "actors/sample_source.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <utility>

#include "actors/fault_places.hpp"
#include "actors/sample_keeper_core.hpp"
#include "actors/stream_failure.hpp"
#include "learn/checkpoint/frame.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

// Samples as they are stored, and their labels.
std::pair<payload, payload> stored(const learn::dataset& set, const std::vector<uint32_t>& ids) {
  auto bytes = set.form().bytes(set.shape());
  auto values = payload::make(dtype::u8, {ids.size(), bytes});
  auto labels = payload::make(dtype::i32, {ids.size()});
  auto* label = reinterpret_cast<int32_t*>(labels.mutable_data());
  for (size_t i = 0; i < ids.size(); ++i) {
    set.read_stored(ids[i], values.mutable_data() + i * bytes);
    label[i] = set.label(ids[i]);
  }
  return {std::move(values), std::move(labels)};
}

std::vector<uint32_t> all_of(uint64_t first, uint64_t last) {
  auto ids = std::vector<uint32_t>(last - first);
  std::iota(ids.begin(), ids.end(), static_cast<uint32_t>(first));
  return ids;
}

} // namespace

sample_source::sample_source(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c), stream_(c.where, fail_with_stream(now_, c.role)) {
  // nop
}

sample_source_actor::behavior_type sample_source::make_behavior() {
  return {
    [this](const request_samples& r) {
      auto promise = self_->make_response_promise<samples>();
      auto handle = [this, r, promise] { answer(r, promise); };
      if (!struck(self_, now_, TROUPE_FAULT(places::source_on_request, config_.role, now_.number(), r.at.value),
                  handle))
        handle();
      return promise;
    },
    [this](const request_checksum& r) {
      auto promise = self_->make_response_promise<samples_checksum>();
      answer(r, promise);
      return promise;
    },
  };
}

void sample_source::answer(const request_samples& what, caf::typed_response_promise<samples> promise) {
  auto set = what.of_test ? config_.job->data.test : config_.job->data.train;
  auto size = set ? set->size() : 0;
  auto most = set ? samples_per_piece(set->form().bytes(set->shape())) : 0;
  auto inside = what.ids.empty() ? what.first < what.last && what.last <= size
                                 : std::all_of(what.ids.begin(), what.ids.end(), [&](auto id) { return id < size; });
  if (!inside || what.count() > most)
    return promise.deliver(samples{
      false,
      fmt::format("{} asks for {} samples of a set of {}, of which some are not there or are too many at a time",
                  to_string(what.from), what.count(), size),
      {},
      {}});
  asked_.push_back(std::move(promise));
  auto read = std::make_shared<std::pair<payload, payload>>();
  stream_.enqueue(
    [read, set, what] { *read = stored(*set, what.ids.empty() ? all_of(what.first, what.last) : what.ids); });
  stream_.on_complete([now = now_, this, read, from = what.from] {
    now.post([this, read, from] {
      auto reader = config_.job->roles->locate<sample_keeper_actor>(from).process;
      asked_.front().deliver(samples{true, {}, read->first.for_reader(reader), read->second.for_reader(reader)});
      asked_.pop_front();
    });
  });
}

void sample_source::answer(const request_checksum& what, caf::typed_response_promise<samples_checksum> promise) {
  auto set = config_.job->data.train;
  if (what.first >= what.last || what.last > set->size())
    return promise.deliver(samples_checksum{fmt::format("{} asks for samples {} to {} of a set of {}",
                                                        to_string(what.from), what.first, what.last, set->size()),
                                            0});
  asked_checksum_.push_back(std::move(promise));
  auto sum = std::make_shared<uint32_t>(0);
  stream_.enqueue([sum, set, what] {
    auto [values, labels] = stored(*set, all_of(what.first, what.last));
    *sum = learn::crc32c({labels.data(), labels.bytes()}, learn::crc32c({values.data(), values.bytes()}));
  });
  stream_.on_complete([now = now_, this, sum] {
    now.post([this, sum] {
      asked_checksum_.front().deliver(samples_checksum{{}, *sum});
      asked_checksum_.pop_front();
    });
  });
}

} // namespace troupe
