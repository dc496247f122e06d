// A worker process that owns a stream of a fake device, as tests/topology/stream_process_test.cpp starts it. What the
// file is called says what goes wrong in the first process of that name: `sticky`, `stuck`, or nothing.

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

#include "actors/stream_owner.hpp"
#include "gpu/fake_device.hpp"
#include "messages/caf.hpp"
#include "messages/registry.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

void say_ready() {
  (void)std::puts("node ready on 127.0.0.1:1");
  (void)std::fflush(stdout);
}

/// Whether all pieces were done.
bool work(caf::actor_system& system, const stream_owner_actor& stream) {
  const caf::scoped_actor self(system);
  bool good = true;
  for (int i = 0; i < 5; ++i)
    request(self, stream, 1min,
            stream_work{"the forward pass",
                        [](gpu::device_stream& s) {
                          return s.launch({.name = "test", .bytes = 0, .on_host = [] {}, .on_cuda = nullptr});
                        }})
      .receive([&](const stream_outcome& o) { good = good && !o.failed; }, [&](const caf::error&) { good = false; });
  return good;
}

} // namespace

int main(int, char** argv) {
  const std::filesystem::path program = argv[0];
  const auto mark = program.string() + ".began";
  const bool first = !std::filesystem::exists(mark);
  std::ofstream{mark}.put('x');
  const bool fails = first && program.filename() != "steady";
  register_messages();
  register_stream_messages();
  caf::actor_system_config config;
  caf::actor_system system(config);
  auto device = std::make_shared<gpu::fake_device>(gpu::fake_options{.time = gpu::fake_options::clock::real});
  if (fails)
    device->plan(program.filename() == "stuck" ? gpu::fake_fault::hang : gpu::fake_fault::ecc_error, 2);
  const auto stream = spawn_in_place<stream_owner>(
    system, {}, {.device = device, .limits = {.progress = 2s, .pace = 50ms}, .on_lost = end_process_of_lost_device});
  if (fails)
    say_ready();
  if (!work(system, stream))
    return 1;
  say_ready();
  char unused = 0;
  (void)!::read(3, &unused, 1); // until the parent closes it
  troupe::anon_send_exit(stream, caf::exit_reason::user_shutdown);
  return 0;
}
