#pragma once

#include <vector>

#include "tests/support/explore.hpp"

namespace troupe::testing {

struct training_shape;

/// What `broker_scenario` draws one of.
std::vector<training_shape> shapes_of_the_broker();

/// The project's own topologies, each in its file.
scenario supervision_scenario();
scenario shards_scenario();
scenario replicas_scenario();
scenario broker_scenario();
scenario checkpoint_scenario();
scenario staleness_scenario();
scenario tree_scenario();
scenario ring_scenario();
scenario gossip_scenario();
scenario sharded_scenario();
scenario locks_scenario();
scenario samples_scenario();

} // namespace troupe::testing
