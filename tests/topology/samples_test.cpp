// A sample keeper and those that it asks, without a run around them.

#include <algorithm>
#include <caf/scoped_actor.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <deque>
#include <numeric>

#include "actors/runtime.hpp"
#include "actors/sample_keeper.hpp"
#include "actors/sample_source.hpp"
#include "messages/caf.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto shape = learn::sample_shape{1, 8, 8};

learn::data_source noise() {
  return learn::open_data("random:1x8x8:10", 1).value();
}

job_description description() {
  auto d = job_description{};
  d.job_id = "job";
  d.height = d.width = 8;
  d.samples = noise().train->size();
  d.batch = d.micro_batch = 64;
  d.exchange = static_cast<uint8_t>(learn::exchange_kind::fixed);
  d.data_shards = 2;
  d.held = describe_held(noise());
  return d;
}

std::shared_ptr<hosted_job> job_with(learn::data_source data) {
  static const auto model = learn::make_model({"mlp", shape, 10, learn::precision::f32}).value();
  return std::make_shared<hosted_job>(description(), model, std::move(data), std::make_shared<directory>());
}

/// Actors, and their end.
struct stage {
  runtime rt = runtime{};
  gpu::device lane = gpu::device::host({0, 1}); // of sources
  std::vector<caf::strong_actor_ptr> all;

  template <class Handle>
  Handle operator()(Handle handle) {
    all.push_back(caf::actor_cast<caf::strong_actor_ptr>(handle));
    return handle;
  }
  ~stage() {
    for (auto& x : all)
      troupe::anon_send_exit(x, caf::exit_reason::kill);
  }
};

template <class Handle>
void bind(const std::shared_ptr<hosted_job>& job, const role_id& role, const Handle& handle) {
  job->roles->announce(role, {1}, handle);
}

samples ask(caf::scoped_actor& self, const sample_source_actor& whom, const request_samples& what) {
  auto result = samples{};
  troupe::request(self, whom, 10s, what)
    .receive([&](const samples& s) { result = s; }, [](const caf::error& e) { FAIL(caf::to_string(e)); });
  return result;
}

/// Answers as it is told, one request after the other, and then as a source does.
sample_source_actor::behavior_type odd_source(sample_source_actor::pointer self, const sample_source_actor& real,
                                              const std::shared_ptr<std::deque<samples>>& answers) {
  return {
    [=](const request_samples& what) -> caf::result<samples> {
      if (answers->empty())
        return troupe::delegate(self, real, what);
      auto next = answers->front();
      answers->pop_front();
      return next;
    },
    [=](const request_checksum& what) { return troupe::delegate(self, real, what); },
  };
}

} // namespace

TEST_CASE("a source sends samples as they are stored, and refuses what it does not have or is too much (R13)") {
  auto on = stage{};
  auto& system = on.rt.system();
  auto self = caf::scoped_actor{system};
  const auto job = job_with(noise());
  const auto source =
    on(spawn_in_place<sample_source>(system, {}, sample_source::config{{source_kind, 0}, job, on.lane}));
  auto what = request_samples{{keeper_kind, 1}, {}, false, 0, 0, {7, 4000}};
  const auto sent = ask(self, source, what);
  CHECK(sent.here);
  REQUIRE(sent.values.shape() == std::vector<uint64_t>{2, 64 * sizeof(float)});
  auto pixels = std::vector<float>(64);
  job->data.train->read(4000, pixels.data());
  const auto* second = reinterpret_cast<const float*>(sent.values.data()) + 64;
  CHECK(std::equal(pixels.begin(), pixels.end(), second));
  CHECK(reinterpret_cast<const int32_t*>(sent.labels.data())[0] == job->data.train->label(7));

  const auto refused = [&] {
    const auto answer = ask(self, source, what);
    CHECK(answer.values.empty());
    return !answer.here && answer.refusal.find("sample_keeper/1 asks for") == 0;
  };
  what.ids = {7, 4096};
  CHECK(refused());
  what.ids = {};
  CHECK(refused()); // nothing
  what.last = 4097;
  CHECK(refused());
  what.of_test = true;
  what.last = 257;
  CHECK(refused());
  what.ids.assign(samples_per_piece(64 * sizeof(float)) + 1, 0);
  CHECK(refused());
  auto checksum = samples_checksum{};
  troupe::request(self, source, 10s, request_checksum{{keeper_kind, 1}, 5, 5})
    .receive([&](const samples_checksum& x) { checksum = x; }, [](const caf::error&) {});
  CHECK_FALSE(checksum.refusal.empty());
}

TEST_CASE("a keeper does not believe what does not fit, asks again, and holds the bits of the original") {
  auto on = stage{};
  auto& system = on.rt.system();
  auto self = caf::scoped_actor{system};
  const auto whole = job_with(noise());
  const auto job = job_with({"noise", nullptr, nullptr});
  REQUIRE(job->held);
  const auto real =
    on(spawn_in_place<sample_source>(system, {}, sample_source::config{{source_kind, 0}, whole, on.lane}));
  const auto good = ask(self, real, {{keeper_kind, 1}, {}, false, 2048, 4096, {}});
  auto answers = std::make_shared<std::deque<samples>>();
  auto add = [&](auto change) {
    auto& wrong = answers->emplace_back(good);
    wrong.labels = payload::make(dtype::i32, {2048});
    std::memcpy(wrong.labels.mutable_data(), good.labels.data(), good.labels.bytes());
    change(wrong);
  };
  add([](samples& s) { s.here = false; });
  add([](samples& s) { s.values = payload::make(dtype::u8, {2047, 64 * sizeof(float)}); });
  add([](samples& s) { s.values = payload::floats(size_t{2048} * 64); });
  add([](samples& s) { s.labels = payload::make(dtype::i64, {1024}); });
  add([](samples& s) { reinterpret_cast<int32_t*>(s.labels.mutable_data())[2047] = 10; });
  add([](samples& s) { reinterpret_cast<int32_t*>(s.labels.mutable_data())[0] = -1; });
  bind(job, {source_kind, 0}, on(system.spawn(odd_source, real, answers)));
  auto told = caf::scoped_actor{system};
  job->roles->bind({{"agent", 1}, {1}, caf::actor_cast<caf::strong_actor_ptr>(told)});
  const auto keeper = on(spawn_in_place<sample_keeper>(system, {}, sample_keeper::config{{keeper_kind, 1}, job}));
  bind(job, {keeper_kind, 1}, keeper);
  troupe::send(self, keeper, need_samples{{"agent", 1}, {}, {}, 0, false, {3000}});
  auto held = false;
  for (int i = 0; i < 200 && !held; ++i) { // the source is asked again every second; another role makes it sooner
    job->roles->announce({keeper_kind, 0}, {static_cast<uint64_t>(i + 1)}, real);
    told->receive([&](const samples_held&) { held = true; }, caf::after(100ms) >> [] {});
  }
  CHECK(held);
  CHECK(answers->empty());
  auto ids = std::vector<uint32_t>(2048);
  std::iota(ids.begin(), ids.end(), 2048u);
  const auto pinned = job->held->train.pin(ids);
  REQUIRE(pinned.samples);
  auto a = std::vector<float>(ids.size() * 64);
  auto b = a;
  auto labels = std::vector<int32_t>(ids.size());
  auto original = labels;
  learn::gather(*pinned.samples, ids, a.data(), labels.data());
  learn::gather(*whole->data.train, ids, b.data(), original.data());
  CHECK(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
  CHECK(labels == original);
  CHECK(job->from_source == good.values.bytes() + good.labels.bytes());
  CHECK(job->most_held == good.values.bytes() + good.labels.bytes());
  job->roles->clear();
}
