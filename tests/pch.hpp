#pragma once

/// What most tests of actors include anyway, compiled once (see troupe_test in cmake/troupe.cmake).

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch_test_macros.hpp>

#include "messages/caf.hpp"
#include "messages/registry.hpp"
