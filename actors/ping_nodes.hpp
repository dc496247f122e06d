#pragma once

#include <functional>
#include <string>
#include <vector>

#include "actors/link_meter.hpp"

namespace troupe {

/// `troupe ping`.
struct ping_options {
  std::vector<std::string> nodes; ///< HOST:PORT
  std::string certs;              ///< folder with this process's certificate; empty: no TLS
  bool between = true;            ///< also the connections between the nodes, each once
  meter_options how;
};

/// A connection that was to be measured.
struct pinged {
  std::string from; ///< HOST:PORT; empty: this process
  std::string to;
  expected<link_figures> figures;
};

/// Measures the connection to each node, then between each two that have answered, by asking the first of them; one
/// after the other, so that they do not take each other's bandwidth. Tells of each as it is known. A sentence where
/// there is nothing to measure.
expected<void> ping_nodes(const ping_options& options, const std::function<void(const pinged&)>& on_one);

} // namespace troupe
