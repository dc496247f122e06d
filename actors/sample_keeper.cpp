#include "actors/sample_keeper.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <stdexcept>
#include <utility>

#include "actors/fault_places.hpp"
#include "actors/stream_failure.hpp"
#include "messages/caf.hpp"

namespace troupe {
namespace {

using namespace std::chrono_literals;

// Who was asked and has nothing, or nothing yet, is asked again at this pace.
constexpr auto tick_pace = 1s;
// How long a keeper, and the source, may take for a piece (R7).
constexpr auto keeper_deadline = 5s;
constexpr auto source_deadline = 10s;
// Requests of others that wait for a shard that comes soon (R13).
constexpr size_t most_waiting = 64;
// Single samples of the test set are needed after every epoch.
constexpr auto always = UINT64_MAX;

} // namespace

sample_keeper::sample_keeper(interface::pointer self, life now, const config& c)
  : self_(self), now_(std::move(now)), config_(c),
    core_({config_.role.index, config_.job->exchange(), config_.job->description.samples,
           config_.job->description.held.last_epoch,
           config_.piece != 0 ? config_.piece : samples_per_piece(config_.job->held->train.sample_bytes())}) {
  if (!config_.job->description.held.folder.empty() && config_.files)
    files_.emplace(*config_.files, fail_with_stream(now_, config_.role));
}

sample_keeper_actor::behavior_type sample_keeper::make_behavior() {
  config_.job->held->train.clear();
  for (const auto* kind : {source_kind, keeper_kind})
    config_.job->roles->subscribe(caf::actor_cast<caf::strong_actor_ptr>(self_), kind);
  schedule_tick();
  return {
    [this](const role_bound&) { perform(core_.on_bound()); },
    [this](const need_samples& what) {
      auto handle = [this, what] { perform(core_.on_need(what)); };
      if (!struck(self_, now_, TROUPE_FAULT(places::keeper_on_need, config_.role, now_.number(), what.at.value),
                  handle))
        handle();
    },
    [this](const request_samples& what) {
      auto to = self_->make_response_promise<samples>();
      auto handle = [this, what, to] { answer(what, to); };
      if (!struck(self_, now_, TROUPE_FAULT(places::keeper_on_request, config_.role, now_.number(), what.at.value),
                  handle))
        handle();
      return to;
    },
    [this](const leave_run&) { self_->quit(); },
  };
}

void sample_keeper::schedule_tick() {
  run_after(self_, tick_pace, now_.guard([this] {
    perform(core_.on_tick());
    schedule_tick();
  }));
}

void sample_keeper::perform(const sample_keeper_core::actions& actions) {
  for (auto& a : actions)
    std::visit([this](auto& x) { perform(x); }, a);
  config_.job->dropped += core_.dropped() - std::exchange(dropped_, core_.dropped());
  answer_those_that_wait();
}

// -- what is fetched --------------------------------------------------------------------------------------------------

void sample_keeper::perform(const sample_keeper_core::open& a) {
  if (!files_)
    return now_.post([this, shard = a.shard] { fetch(shard); });
  auto file = std::make_shared<expected<std::optional<learn::shard_file>>>();
  files_->enqueue(
    [file, path = path_of(a.shard), ids = core_.ids_of(a.shard), bytes = config_.job->held->train.sample_bytes()] {
      *file = learn::open_shard_file(path, ids, bytes);
    });
  files_->on_complete(
    [now = now_, this, shard = a.shard, file] { now.post([this, shard, file] { found(shard, *file); }); });
}

void sample_keeper::fetch(size_t shard) {
  if (!core_.opens(shard)) // not needed any more
    return;
  auto ids = core_.ids_of(shard);
  auto n = ids.last - ids.first;
  incoming_[shard] = {payload::make(dtype::u8, {n, config_.job->held->train.sample_bytes()}),
                      payload::make(dtype::i32, {n})};
  count_held();
  perform(core_.on_opened(shard, false));
}

void sample_keeper::perform(const sample_keeper_core::ask& a) {
  auto role = a.keeper ? role_id{keeper_kind, *a.keeper} : role_id{source_kind, 0};
  auto whom = config_.job->roles->find_as<sample_source_actor>(role);
  if (!whom)
    return now_.post([this, number = a.number] { failed(number); });
  auto what = request_samples{config_.role, a.at, a.of_test, a.range.first, a.range.last, a.ids, a.can_wait};
  troupe::request(self_, whom, a.keeper ? keeper_deadline : source_deadline, std::move(what))
    .then(now_.guard([this, a](const samples& s) { arrived(a, s); }),
          now_.guard([this, number = a.number](const caf::error&) { failed(number); }));
}

void sample_keeper::failed(uint64_t number) {
  perform(core_.on_failed(number));
}

// What comes from the wire is looked at before it is believed.
bool sample_keeper::fits(const sample_keeper_core::ask& asked, const samples& what) const {
  auto& set = config_.job->held->train;
  auto n = asked.ids.empty() ? asked.range.last - asked.range.first : asked.ids.size();
  if (!what.here || what.values.type() != dtype::u8 || what.labels.type() != dtype::i32 ||
      what.values.shape() != std::vector<uint64_t>{n, set.sample_bytes()} ||
      what.labels.shape() != std::vector<uint64_t>{n})
    return false;
  auto* labels = reinterpret_cast<const int32_t*>(what.labels.data());
  return std::all_of(labels, labels + n, [&](auto label) { return 0 <= label && label < set.set().classes; });
}

void sample_keeper::arrived(const sample_keeper_core::ask& asked, const samples& what) {
  if (!asked.keeper && !what.refusal.empty())
    throw std::runtime_error("the sample source refuses: " + what.refusal);
  if (!fits(asked, what))
    return failed(asked.number);
  if (core_.wants(asked.number)) {
    auto& job = *config_.job;
    (asked.keeper ? job.from_keepers : job.from_source) += what.values.bytes() + what.labels.bytes();
    if (asked.ids.empty()) {
      auto shard = core_.shard_with(static_cast<uint32_t>(asked.range.first));
      auto& to = incoming_.at(shard);
      auto at = asked.range.first - core_.ids_of(shard).first;
      std::memcpy(to.values.mutable_data() + at * job.held->train.sample_bytes(), what.values.data(),
                  what.values.bytes());
      std::memcpy(to.labels.mutable_data() + at * sizeof(int32_t), what.labels.data(), what.labels.bytes());
    } else {
      auto& set = asked.of_test ? job.held->test : job.held->train;
      set.keep(asked.ids, owned(what), asked.of_test ? always : asked.at.value);
      count_held();
    }
  }
  perform(core_.on_arrived(asked.number));
}

// A copy where another process has lent them: what is kept for long is no loan.
learn::stored_samples sample_keeper::owned(const samples& what) {
  auto own = [](const payload& p) {
    if (!p.borrowed())
      return p;
    auto copy = payload::make(p.type(), p.shape());
    std::memcpy(copy.mutable_data(), p.data(), p.bytes());
    return copy;
  };
  return stored_in(own(what.values), own(what.labels));
}

learn::stored_samples sample_keeper::stored_in(payload values, payload labels) {
  auto all = std::make_shared<const incoming>(incoming{std::move(values), std::move(labels)});
  return {all->values.data(), reinterpret_cast<const int32_t*>(all->labels.data()), all};
}

void sample_keeper::perform(const sample_keeper_core::keep& a) {
  auto made = incoming_.extract(a.shard);
  if (!made) // it was in a file
    return;
  auto what = stored_in(std::move(made.mapped().values), std::move(made.mapped().labels));
  config_.job->held->train.keep(core_.ids_of(a.shard), what);
  if (files_)
    write(a.shard, what);
}

void sample_keeper::perform(const sample_keeper_core::drop& a) {
  incoming_.erase(a.shard);
  config_.job->held->train.drop(core_.ids_of(a.shard));
  if (files_)
    files_->enqueue([path = path_of(a.shard)] { static_cast<void>(learn::file_system::real().remove(path)); });
}

void sample_keeper::perform(const sample_keeper_core::forget& a) {
  config_.job->held->train.drop_before(a.before.value);
}

void sample_keeper::perform(const sample_keeper_core::tell&) {
  if (auto agent = config_.job->roles->find_as<agent_actor>({"agent", config_.role.index}))
    troupe::anon_send(agent, samples_held{});
}

void sample_keeper::count_held() {
  auto bytes = config_.job->held->train.bytes() + config_.job->held->test.bytes();
  for (auto& [shard, x] : incoming_)
    bytes += x.values.bytes() + x.labels.bytes();
  config_.job->held_so_much(bytes);
}

// -- files ------------------------------------------------------------------------------------------------------------

std::filesystem::path sample_keeper::path_of(size_t shard) const {
  return std::filesystem::path{config_.job->description.held.folder} /
         fmt::format("{}-{}.shard-{}-of-{}", config_.role.kind, config_.role.index, shard,
                     config_.job->exchange().shards);
}

// What it holds is right if the source would send the same.
void sample_keeper::found(size_t shard, const expected<std::optional<learn::shard_file>>& file) {
  auto fetch_anew = [this, shard](const std::string& why) {
    fmt::print(stderr, "troupe: {}; it is fetched anew\n", why);
    fetch(shard);
  };
  if (!file)
    return fetch_anew(file.error().sentence);
  auto source = config_.job->roles->find_as<sample_source_actor>({source_kind, 0});
  if (!*file || !source)
    return fetch(shard);
  auto ids = core_.ids_of(shard);
  troupe::request(self_, source, source_deadline, request_checksum{config_.role, ids.first, ids.last})
    .then(now_.guard([this, shard, fetch_anew, found = **file](const samples_checksum& wanted) {
      if (wanted.refusal.empty() && wanted.crc32c == found.checksum)
        use(shard, found);
      else
        fetch_anew(path_of(shard).string() + " holds samples of another data set");
    }),
          now_.guard([this, shard](const caf::error&) { fetch(shard); }));
}

void sample_keeper::use(size_t shard, const learn::shard_file& file) {
  if (!core_.opens(shard))
    return;
  config_.job->held->train.keep(core_.ids_of(shard), file.samples);
  perform(core_.on_opened(shard, true));
}

// From then on the file takes the place of the memory. Where it cannot be written, the memory stays.
void sample_keeper::write(size_t shard, const learn::stored_samples& what) {
  auto file = std::make_shared<expected<std::optional<learn::shard_file>>>();
  files_->enqueue(
    [file, what, path = path_of(shard), ids = core_.ids_of(shard), bytes = config_.job->held->train.sample_bytes()] {
      auto& files = learn::file_system::real();
      auto written = files.make_folder(path.parent_path()).and_then([&] {
        return learn::write_shard_file(files, path, ids, bytes, what);
      });
      *file = written ? learn::open_shard_file(path, ids, bytes) : tl::unexpected(written.error());
    });
  files_->on_complete([now = now_, this, shard, file] {
    now.post([this, shard, file] {
      if (!*file)
        fmt::print(stderr, "troupe: {}; {} holds the shard in memory\n", file->error().sentence,
                   to_string(config_.role));
      else if (**file && core_.held().contains(shard))
        config_.job->held->train.keep(core_.ids_of(shard), (**file)->samples);
    });
  });
}

// -- what others ask for ----------------------------------------------------------------------------------------------

samples sample_keeper::piece_of(const request_samples& what) const {
  auto part = config_.job->held->train.part({what.first, what.last});
  auto values = payload::make(dtype::u8, {what.count(), config_.job->held->train.sample_bytes()});
  auto labels = payload::make(dtype::i32, {what.count()});
  std::memcpy(values.mutable_data(), part.values, values.bytes());
  std::memcpy(labels.mutable_data(), part.labels, labels.bytes());
  auto reader = config_.job->roles->locate<sample_keeper_actor>(what.from).process;
  return {true, {}, values.for_reader(reader), labels.for_reader(reader)};
}

void sample_keeper::answer(const request_samples& what, promise to) {
  switch (core_.answer_to(what)) {
  case sample_keeper_core::answer::here:
    to.deliver(piece_of(what));
    perform(core_.on_served(what));
    break;
  case sample_keeper_core::answer::later:
    if (waiting_.size() == most_waiting) {
      waiting_.front().second.deliver(samples{});
      waiting_.erase(waiting_.begin());
    }
    waiting_.emplace_back(what, to);
    break;
  case sample_keeper_core::answer::elsewhere:
    to.deliver(samples{});
    break;
  }
}

void sample_keeper::answer_those_that_wait() {
  auto later = [this](auto& x) { return core_.answer_to(x.first) == sample_keeper_core::answer::later; };
  auto ready = std::stable_partition(waiting_.begin(), waiting_.end(), later);
  auto now = std::vector(std::make_move_iterator(ready), std::make_move_iterator(waiting_.end()));
  waiting_.erase(ready, waiting_.end());
  for (auto& [what, to] : now)
    answer(what, to);
}

} // namespace troupe
