#include "actors/link_middleman.hpp"

#include <array>
#include <bit>
#include <caf/io/doorman.hpp>
#include <caf/make_counted.hpp>
#include <caf/sec.hpp>
#include <chrono>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "actors/link_address.hpp"
#include "actors/link_gate.hpp"
#include "actors/link_scribe.hpp"
#include "actors/openssl.hpp"

namespace troupe {
namespace {

using caf::io::network::default_multiplexer;
using clock = std::chrono::steady_clock;

#if CAF_MAJOR_VERSION >= 1
caf::actor_system& as_loops_take_it(caf::actor_system& system) {
  return system;
}
#else
caf::actor_system* as_loops_take_it(caf::actor_system& system) {
  return &system;
}
#endif

link_process begin_process(const caf::actor_system& system) {
  auto& settings = dynamic_cast<const link_config&>(system.config()).link;
  auto number = std::array<uint8_t, 8>{};
  openssl::draw(number);
  return {settings, std::bit_cast<uint64_t>(number), std::make_shared<std::atomic<size_t>>(0),
          std::make_shared<link_log>(settings->on_line)};
}

class link_loop;

// Stands for a listening socket in CAF's eyes. Its gate watches it, from when CAF says so.
class link_doorman final : public caf::io::doorman {
public:
  link_doorman(link_loop& loop, int listening)
    : caf::io::doorman(caf::io::network::accept_hdl_from_socket(listening)), loop_(loop), listening_(listening),
      port_(port_of(listening)) {
    // nop
  }
  ~link_doorman() override {
    if (gate_ == nullptr)
      ::close(listening_);
  }
  link_doorman(const link_doorman&) = delete;
  link_doorman& operator=(const link_doorman&) = delete;

  void let_in(caf::intrusive_ptr<link_scribe> peer);
  bool new_connection() override { return false; } // only for sockets that CAF watches
  void graceful_shutdown() override;
  void launch() override;
  [[nodiscard]] uint16_t port() const override { return port_; }
  [[nodiscard]] std::string addr() const override { return {}; }
  void add_to_loop() override {}
  void remove_from_loop() override {}

private:
  link_loop& loop_;
  int listening_; // the gate's, once there is one
  uint16_t port_;
  link_gate* gate_ = nullptr; // lives as long as the loop
};

// CAF's event loop, with sockets of ours.
class link_loop final : public default_multiplexer {
public:
  explicit link_loop(caf::actor_system& system)
    : default_multiplexer(as_loops_take_it(system)), process_(begin_process(system)) {
    // nop
  }

  // Blocks; CAF calls it on a thread that has nothing else to do.
  caf::expected<caf::io::scribe_ptr> new_tcp_scribe(const std::string& host, uint16_t port) override {
    auto deadline = clock::now() + process_.settings->limits.greeting;
    auto socket = dial(host, port, process_.settings->limits.greeting);
    if (!socket)
      return caf::make_error(caf::sec::cannot_connect_to_node, socket.error().sentence);
    auto with = address_of_peer(*socket);
    auto session = link_session{*socket, process_.settings, process_.process, without_brackets(host)};
    for (;;) {
      auto wants = session.advance();
      if (!wants)
        return caf::make_error(caf::sec::disconnect_during_handshake, wants.error().sentence);
      if (*wants == link_session::needs::nothing)
        break;
      auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
      auto polled =
        pollfd{session.socket(), static_cast<short>(*wants == link_session::needs::output ? POLLOUT : POLLIN), 0};
      if (left <= 0 || ::poll(&polled, 1, static_cast<int>(left)) == 0)
        return caf::make_error(caf::sec::disconnect_during_handshake,
                               fmt::format("it does not greet within {} ms: is another program listening there?",
                                           process_.settings->limits.greeting.count()));
    }
    return caf::io::scribe_ptr{caf::make_counted<link_scribe>(*this, session.release(), process_, with)};
  }

  caf::expected<caf::io::doorman_ptr> new_tcp_doorman(uint16_t port, const char* host, bool reuse) override {
    if (host == nullptr || *host == '\0')
      return caf::make_error(caf::sec::cannot_open_port, std::string{"no address to listen on is named"});
    auto socket = listen_on(host, port, reuse);
    if (!socket)
      return caf::make_error(caf::sec::cannot_open_port, socket.error().sentence);
    return caf::io::doorman_ptr{caf::make_counted<link_doorman>(*this, *socket)};
  }

  // In the loop's thread.
  link_gate& open_gate(int listening, const caf::intrusive_ptr<link_doorman>& doorman) {
    auto admit = [this, doorman](std::unique_ptr<link_channel> channel, const std::string& from) {
      auto peer = caf::make_counted<link_scribe>(*this, std::move(channel), process_, from);
      post([doorman, peer] { doorman->let_in(peer); });
    };
    gates_.push_back(std::make_unique<link_gate>(listening, process_, std::move(admit)));
    return *gates_.back();
  }

private:
  link_process process_;
  std::vector<std::unique_ptr<link_gate>> gates_; // their threads end before the loop does
};

void link_doorman::launch() {
  gate_ = &loop_.open_gate(listening_, this);
}

void link_doorman::let_in(caf::intrusive_ptr<link_scribe> peer) {
  if (detached())
    return;
  auto handle = peer->hdl();
  parent()->add_scribe(std::move(peer));
  doorman::new_connection(&loop_, handle);
}

void link_doorman::graceful_shutdown() {
  if (gate_ != nullptr)
    gate_->close();
  detach(&loop_, false);
}

class guarded final : public caf::io::middleman {
public:
  explicit guarded(caf::actor_system& system) : caf::io::middleman(system), loop_(system) {}

  caf::io::network::multiplexer& backend() override { return loop_; }

private:
  link_loop loop_;
};

} // namespace

void link_middleman::load(link_config& config) {
  caf::io::middleman::init_global_meta_objects();
  config.caf::actor_system_config::load<link_middleman>();
}

void link_middleman::add_module_options(caf::actor_system_config& config) {
  caf::io::middleman::add_module_options(config);
}

#if CAF_MAJOR_VERSION >= 1
caf::actor_system_module* link_middleman::make(caf::actor_system& system) {
  return new guarded(system);
}

void link_middleman::check_abi_compatibility(caf::version::abi_token token) {
  caf::io::middleman::check_abi_compatibility(token);
}
#else
caf::actor_system::module* link_middleman::make(caf::actor_system& system, caf::detail::type_list<>) {
  return new guarded(system);
}
#endif

} // namespace troupe
