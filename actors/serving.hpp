#pragma once

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <fmt/format.h>
#include <string>

#include "actors/loopback.hpp"
#include "messages/caf.hpp"
#include "messages/failure.hpp"

namespace troupe {

/// Whether a process that takes work from others may listen there: `what` says what it is. One sentence where not.
inline expected<void> may_listen(const std::string& what, const std::string& host, const std::string& certs,
                                 bool insecure) {
  if (certs.empty() && !insecure && !is_loopback(host))
    return fail(fmt::format("{} can be reached from other machines, and a {} takes work from whoever reaches it: "
                            "give it a certificate with --certs, listen on a loopback address, or say --insecure on a "
                            "network that you trust",
                            host, what));
  if (!certs.empty() && insecure)
    return fail(fmt::format("--insecure is for a {} without --certs: give one of them", what));
  return {};
}

/// Lets others reach the actor; the port. Where that is not possible the actor ends, and there is one sentence.
template <class Handle>
expected<uint16_t> publish(caf::actor_system& system, const Handle& actor, const std::string& host, uint16_t port) {
  auto reuse = true; // connections of a process that was killed may linger
  auto bound = system.middleman().publish(actor, port, host.c_str(), reuse);
  if (bound)
    return *bound;
  troupe::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  return fail(fmt::format("cannot listen on {}:{} ({}): is the port in use? Choose another one, or 0 for any", host,
                          port, caf::to_string(bound.error())));
}

} // namespace troupe
