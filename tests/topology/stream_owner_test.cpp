// Stream owners on a fake device: order, completion, credit, and what becomes of failures. Time is virtual.

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "actors/stream_owner.hpp"
#include "gpu/fake_device.hpp"
#include "messages/caf.hpp"
#include "supervision/exit_reason.hpp"
#include "supervision/run_tree.hpp"
#include "tests/support/dice.hpp"
#include "virtual_system.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using gpu::device_result;
using gpu::device_stream;
using gpu::fake_device;
using gpu::fake_fault;

namespace {

using strings = std::vector<std::string>;

/// Work that does `f` on the device.
stream_work on_device(std::string what, std::function<void()> f, size_t bytes = 0) {
  return {std::move(what), [f = std::move(f), bytes](device_stream& s) {
            return s.launch({.name = "test", .bytes = bytes, .on_host = f, .on_cuda = nullptr});
          }};
}

/// Work of nothing but latency.
stream_work pause(std::string what) {
  return on_device(std::move(what), [] {});
}

struct stage : virtual_system {
  static constexpr stream_limits small = {.in_flight = 2, .waiting = 4, .progress = 10s, .pace = 1s};

  /// Each stream owner has a device of its own, or all of them one.
  explicit stage(size_t owners = 1, bool one_device = false, stream_limits limits = small) {
    register_stream_messages();
    std::vector<startable> children;
    handles.resize(owners);
    for (size_t i = 0; i < owners; ++i) {
      device.push_back(
        one_device && i > 0
          ? device[0]
          : std::make_shared<fake_device>(gpu::fake_options{
              .name = fmt::format("fake:{}", i), .memory = 1000, .latency = 1us, .bytes_per_second = 1e9}));
      children.emplace_back(fmt::format("stream/{}", i), [this, i, limits](const start_context& c) -> started {
        ++starts;
        return handles[i] = spawn_in_place<stream_owner>(
                 c.system, c.link(), {.device = device[i], .limits = limits, .on_lost = [this](const auto& why) {
                                        lost.push_back(why.sentence);
                                      }});
      });
    }
    auto running = run_tree(system(), supervise("root", one_for_one, at_most(10'000, 1min)).child(children),
                            {.on_ready = nullptr,
                             .on_report = [this](const supervision_report& r) { reports.push_back(r); },
                             .on_end = [this](const tree_end& e) { end = e; }});
    REQUIRE(running);
    tree = std::move(*running);
    run();
  }
  ~stage() {
    stop();
    handles.clear();
    run();
  }

  void stop() {
    if (end)
      return;
    tree->stop();
    pass(1min);
  }

  /// Sends work; what comes of it is told by `seen`.
  void submit(stream_work work, size_t to = 0) {
    system().spawn([this, work = std::move(work), to](caf::event_based_actor* self) {
      const auto what = work.what;
      request(self, handles[to], 24h, work)
        .then(
          [=, this](const stream_outcome& o) {
            note(what, o.failed ? std::string{to_string(o.failed->kind)} : "done");
          },
          [=, this](const caf::error& e) { note(what, e == caf::sec::broken_promise ? "broken promise" : "error"); });
    });
    run();
  }

  /// Devices and actors go on until nothing is left that can, without that time passes for the actors.
  void settle() {
    for (bool any = true; any;) {
      run();
      any = false;
      for (auto& d : device)
        any = d->step() || any;
    }
    run();
  }

  void note(const std::string& what, const std::string& how) { did.push_back(what + ": " + how); }
  strings seen() { return std::exchange(did, {}); }

  stream_tally tally(size_t of = 0) {
    stream_tally t;
    system().spawn([&, of](caf::event_based_actor* self) {
      request(self, handles[of], 10s, ask_stream{})
        .then([&](const stream_tally& x) { t = x; }, [](const caf::error&) {});
    });
    run();
    return t;
  }

  std::vector<std::shared_ptr<fake_device>> device;
  std::vector<stream_owner_actor> handles;
  strings did;
  strings lost; ///< why a process should have ended
  std::vector<supervision_report> reports;
  std::optional<tree_end> end;
  std::optional<running_tree> tree;
  int starts = 0;
};

} // namespace

TEST_CASE(
  "work runs in the order in which it came, each completion is a message, and only the credit is on the device") {
  stage s;
  std::string order;
  for (const char c : {'a', 'b', 'c', 'd', 'e', 'f'})
    s.submit(on_device(std::string{c}, [&order, c] { order += c; }));
  CHECK(s.device[0]->count().launched == 2);
  CHECK(s.device[0]->count().pending == 4); // two kernels, and a callback behind each
  CHECK(s.seen().empty());
  s.device[0]->step(); // the first kernel
  s.device[0]->step(); // its callback
  s.run();
  CHECK(s.seen() == strings{"a: done"});
  CHECK(s.device[0]->count().launched == 3);
  s.settle();
  CHECK(s.seen() == strings{"b: done", "c: done", "d: done", "e: done", "f: done"});
  CHECK(order == "abcdef");
  CHECK(s.tally() == stream_tally{.taken = 6, .done = 6});
}

TEST_CASE("R13: beyond its credit a stream refuses at once, and takes work again later") {
  stage s;
  for (int i = 0; i < 7; ++i)
    s.submit(pause(std::to_string(i)));
  CHECK(s.seen() == strings{"6: refused"});
  s.settle();
  CHECK(s.seen().size() == 6);
  s.submit(pause("again"));
  s.settle();
  CHECK(s.seen() == strings{"again: done"});
  CHECK(s.tally() == stream_tally{.taken = 8, .done = 7, .refused = 1});
}

TEST_CASE("T6: out of memory is the owner's to handle, who asks for less on the same stream") {
  stage s;
  const auto batch = [&](size_t bytes) {
    return stream_work{
      std::to_string(bytes), [bytes](device_stream& stream) -> device_result<void> {
        auto parameters = stream.allocate(200);
        if (!parameters)
          return tl::unexpected(parameters.error());
        auto activations = stream.allocate(bytes);
        if (!activations)
          return tl::unexpected(activations.error());
        auto* at = activations->data<char>();
        return stream.launch(
          {.name = "test", .bytes = bytes, .on_host = [at, bytes] { at[bytes - 1] = 1; }, .on_cuda = nullptr});
      }};
  };
  s.submit(batch(1600));
  s.settle();
  CHECK(s.seen() == strings{"1600: out of memory"});
  s.submit(batch(800));
  s.settle();
  CHECK(s.seen() == strings{"800: done"});
  CHECK(s.starts == 1);
  CHECK(s.reports.empty());
  CHECK(s.lost.empty());
  CHECK(s.device[0]->memory()->free == 1000);
}

TEST_CASE("T6: who hears of a failure knows that nothing of the work is in use any more") {
  stage s;
  auto input = std::make_shared<std::vector<char>>(100, 'x');
  std::weak_ptr<std::vector<char>> watched = input;
  std::string copied(100, ' ');
  s.device[0]->plan(fake_fault::out_of_memory);
  s.submit({"work", [input, &copied](device_stream& stream) -> device_result<void> {
              if (auto begun = stream.copy(copied.data(), input->data(), input->size()); !begun)
                return begun;
              return stream.allocate(10).map([](const gpu::device_buffer&) {});
            }});
  input.reset();
  CHECK(s.seen().empty()); // the copy has not been made
  CHECK(watched.use_count() > 0);
  s.settle();
  CHECK(s.seen() == strings{"work: out of memory"});
  CHECK(copied == std::string(100, 'x'));
  CHECK(watched.expired());
}

TEST_CASE("T6: a sticky error is to end its process, and another device's stream goes on") {
  for (const auto fault : {fake_fault::illegal_access, fake_fault::ecc_error}) {
    stage s(2);
    s.device[0]->plan(fault, 1);
    for (const char* what : {"a", "b", "c", "d"})
      s.submit(pause(what));
    for (const char* what : {"x", "y"})
      s.submit(pause(what), 1);
    s.settle();
    CHECK(s.seen() == strings{"a: done", "x: done", "y: done"});
    CHECK(s.lost.empty()); // nobody is called back: the next look finds it, or the next call
    s.pass(1s);
    CHECK(s.seen() == strings{"b: device lost", "c: device lost", "d: device lost"});
    const auto* why = fault == fake_fault::ecc_error ? "fake:0 is lost: an uncorrectable ECC error encountered"
                                                     : "fake:0 is lost: an illegal memory access was encountered";
    CHECK(s.lost == strings{why});
    s.submit(pause("late"));
    s.submit(pause("z"), 1);
    s.settle();
    CHECK(s.seen() == strings{"late: device lost", "z: done"});
    CHECK(s.lost.size() == 1);
    CHECK(s.tally() == stream_tally{.taken = 5, .done = 1, .lost = 4});
  }
}

TEST_CASE(
  "a copy stream beside the compute stream of a device: they overlap, an event orders them, one error ends both") {
  stage s(2, true);
  std::string order;
  std::shared_ptr<gpu::device_event> computed;
  s.submit({"compute", [&](device_stream& stream) -> device_result<void> {
              if (auto launched = stream.launch(
                    {.name = "test", .bytes = 1'000'000, .on_host = [&] { order += "computed "; }, .on_cuda = nullptr});
                  !launched)
                return launched;
              return stream.record().map([&](std::shared_ptr<gpu::device_event> e) { computed = std::move(e); });
            }});
  s.submit(on_device("copy in", [&] { order += "in "; }), 1);
  s.submit({"copy out",
            [&](device_stream& stream) {
              return stream.wait(*computed).and_then([&] {
                return stream.launch(
                  {.name = "test", .bytes = 0, .on_host = [&] { order += "out"; }, .on_cuda = nullptr});
              });
            }},
           1);
  s.settle();
  CHECK(order == "in computed out");
  CHECK(s.seen() == strings{"copy in: done", "compute: done", "copy out: done"});
  s.device[0]->plan(fake_fault::illegal_access);
  s.submit(pause("a"), 1);
  s.settle();
  s.submit(pause("b"));
  s.pass(1s);
  CHECK(s.seen() == strings{"b: device lost", "a: device lost"});
  CHECK(s.lost.size() == 2);
}

TEST_CASE("a sticky error that a call reports needs no look") {
  stage s;
  s.device[0]->plan(fake_fault::illegal_access);
  s.submit(pause("a"));
  s.device[0]->step();
  s.submit(pause("b"));
  CHECK(s.seen() == strings{"a: device lost", "b: device lost"});
  CHECK(s.lost.size() == 1);
}

TEST_CASE("T6: a kernel that does not end is found, and the work is named") {
  stage s(2);
  s.device[0]->plan(fake_fault::hang, 1);
  for (const char* what : {"the forward pass", "the backward pass", "the update"})
    s.submit(pause(what));
  s.settle();
  CHECK(s.seen() == strings{"the forward pass: done"});
  s.pass(10s);
  CHECK(s.lost.empty());
  s.pass(2s);
  CHECK(s.lost == strings{"fake:0 has worked on the backward pass for longer than 10 s: it counts as stuck"});
  CHECK(s.seen() == strings{"the backward pass: device lost", "the update: device lost"});
  s.submit(pause("other"), 1);
  s.settle();
  CHECK(s.seen() == strings{"other: done"});
}

TEST_CASE("slow work that gets on is not stuck") {
  stage s;
  for (int i = 0; i < 6; ++i)
    s.submit(on_device(
      std::to_string(i), [] {}, 9'000'000'000)); // 9 s each
  for (int second = 0; second < 60; ++second) {
    s.device[0]->pass(1s);
    s.pass(1s);
  }
  CHECK(s.seen().size() == 6);
  CHECK(s.lost.empty());
}

TEST_CASE("T3: work that throws replaces the state and its stream; what was in flight gets one error each") {
  stage s;
  bool ran = false;
  s.submit(on_device("a", [&] { ran = true; }));
  s.submit({"throws", [](device_stream&) -> device_result<void> { throw std::runtime_error("a bug"); }});
  s.settle();
  CHECK(s.seen() == strings{"throws: broken promise", "a: broken promise"});
  CHECK(ran); // it was on the old stream, which is finished
  REQUIRE(s.reports.size() == 1);
  CHECK(s.reports[0].what == decision::replace);
  CHECK(s.starts == 1);
  s.submit(pause("b"));
  s.settle();
  CHECK(s.seen() == strings{"b: done"});
  CHECK(s.device[0]->count().streams == 1);
}

TEST_CASE("nothing is left after 1,000 restarts of a stream owner, in place and of the actor") {
  stage s;
  auto pinned = *s.device[0]->allocate_pinned<char>(64);
  for (int i = 0; i < 1000; ++i) {
    for (const char* what : {"a", "b", "c"})
      s.submit({what, [pinned](device_stream& stream) -> device_result<void> {
                  return stream.allocate(64).and_then(
                    [&](const gpu::device_buffer& b) { return stream.copy(b.data(), pinned.get(), 64); });
                }});
    if (i % 2 == 0)
      s.submit({"throws", [pinned](device_stream& stream) -> device_result<void> {
                  auto memory = stream.allocate(64);
                  (void)stream.copy(memory->data(), pinned.get(), 64);
                  throw std::runtime_error("a bug");
                }});
    else
      troupe::anon_send_exit(s.handles[0], reason_of(failure{"as told"}));
    s.settle();
    s.pass(1s); // a look that is due, and back-off
  }
  CHECK(s.tree->restarts() == 1000);
  CHECK(s.starts == 501);
  CHECK(pinned.use_count() == 1);
  CHECK(s.device[0]->count() ==
        fake_device::counts{.streams = 1, .pinned_bytes = 64, .launched = s.device[0]->count().launched});
  s.submit(pause("last"));
  s.settle();
  CHECK(s.seen().back() == "last: done");
  s.stop();
  s.settle();
  CHECK(s.device[0]->count().streams == 0);
}

TEST_CASE("whatever goes wrong, each piece of work is answered once, and nothing is left") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    INFO("seed " << seed);
    stage s;
    dice roll(seed);
    auto held = std::make_shared<int>(0); // by work that has not been let go of
    size_t sent = 0;
    bool hangs = false;
    for (int i = 0; i < 60; ++i) {
      switch (roll.below(16)) {
      case 0:
        s.submit({"throws", [held](device_stream&) -> device_result<void> { throw std::runtime_error("a bug"); }});
        ++sent;
        break;
      case 1:
        s.device[0]->plan(fake_fault::out_of_memory);
        break;
      case 2:
        troupe::anon_send_exit(s.handles[0], reason_of(failure{"as told"}));
        s.pass(1s);
        break;
      case 3:
        if (roll.below(8) == 0)
          s.device[0]->plan(fake_fault::ecc_error, roll.below(4));
        else if (roll.below(8) == 0)
          hangs = (s.device[0]->plan(fake_fault::hang, roll.below(4)), true);
        break;
      case 4:
      case 5:
      case 6:
      case 7:
      case 8:
        s.device[0]->step();
        s.run();
        break;
      default:
        s.submit({"work", [held](device_stream& stream) -> device_result<void> {
                    return stream.allocate(100).and_then([&](const gpu::device_buffer& b) {
                      auto* data = b.data<char>();
                      return stream.launch(
                        {.name = "test", .bytes = 100, .on_host = [data] { data[99] = 1; }, .on_cuda = nullptr});
                    });
                  }});
        ++sent;
      }
    }
    s.settle();
    s.pass(1min); // looks find what is lost, and what is stuck
    s.settle();
    CHECK(s.seen().size() == sent);
    const auto t = s.tally();
    CHECK(t.taken == t.done + t.failed + t.refused + t.lost);
    if (hangs)
      continue; // what a stuck kernel uses is never given back: its process ends
    CHECK(held.use_count() == 1);
    CHECK(s.device[0]->count().bytes == 0);
    CHECK(s.device[0]->count().pending == 0);
    CHECK(s.device[0]->count().streams <= 1);
  }
}
