#pragma once

#include <caf/error.hpp>

#include "messages/failure.hpp"
#include "supervision/exit_cause.hpp"

namespace troupe {

/// What a monitor told, as supervision tells ends apart: the one place that knows CAF's exit reasons.
exit_cause cause_of(const caf::error& reason);

/// The reason with which a supervisor ends; `cause_of` gives the same cause back, on another node too.
caf::error reason_of(const exit_cause& cause);

/// The reason for an actor to end with where it cannot go on: `self->quit(reason_of(failure{"…"}))`. Its supervisor
/// sees `exit_kind::error` and the sentence.
caf::error reason_of(const failure& what);

} // namespace troupe
