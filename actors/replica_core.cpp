#include "actors/replica_core.hpp"

#include <utility>

namespace troupe {

void replica_core::on_restored(const step_set& applied, view since) {
  if (since < rewound_ || loaded_)
    return;
  rewound_ = since;
  loaded_ = true;
  applied_ = applied;
}

void replica_core::go_back(view since) {
  rewound_ = since;
  loaded_ = false;
  applied_ = {};
  applying_.reset();
  early_.clear();
}

replica_core::actions replica_core::on_view(const view_changed& v) {
  if (v.number <= view_) {
    ++dropped_;
    return {};
  }
  view_ = v.number;
  if (v.rewound > rewound_)
    go_back(v.rewound);
  holder_.reset();
  listed_ = false;
  for (auto& m : v.members) {
    if (m.role == role_id{"shard_holder", self_.role.index})
      holder_ = m;
    listed_ = listed_ || m == self_;
  }
  auto out = actions{};
  if (!listed_)
    out.emplace_back(announce{});
  else if (holder_)
    out.emplace_back(follow{*holder_, false});
  return out;
}

replica_core::actions replica_core::on_bound(const member& who) const {
  return listed_ && holder_ == who ? actions{follow{who, false}} : actions{};
}

replica_core::actions replica_core::on_state(const shard_state& s) {
  auto out = actions{};
  auto version = s.applied.version();
  auto known = s.since == rewound_ && loaded_ && (applying_ || version <= this->version());
  if (s.since < rewound_ || known) {
    ++dropped_;
    if (known)
      out.emplace_back(acknowledge{begun()});
    return out;
  }
  if (s.since > rewound_) // it comes before the view that says so
    go_back(s.since);
  progress_ = true;
  loaded_ = true;
  applied_ = s.applied;
  early_.erase(early_.begin(), early_.lower_bound(version));
  out.emplace_back(take{s});
  out.emplace_back(acknowledge{version});
  out.emplace_back(announce{});
  next(out);
  return out;
}

replica_core::actions replica_core::on_update(const replicate_update& u) {
  auto out = actions{};
  auto at = u.what.version;
  if (u.since != rewound_ || (loaded_ && at < begun())) {
    ++dropped_;
    if (u.since == rewound_ && loaded_) // the word of it was lost
      out.emplace_back(acknowledge{begun()});
    return out;
  }
  progress_ = progress_ || loaded_; // what is missing is not on its way because something else comes
  if (early_.size() < max_early || early_.contains(at))
    early_.insert_or_assign(at, u);
  else
    ++dropped_;
  next(out);
  return out;
}

void replica_core::next(actions& out) {
  auto i = early_.find(version());
  if (!loaded_ || applying_ || i == early_.end())
    return;
  auto u = std::move(i->second);
  early_.erase(i);
  applying_ = u.what.at;
  out.emplace_back(apply{std::move(u)});
  out.emplace_back(acknowledge{begun()});
}

replica_core::actions replica_core::on_applied() {
  auto out = actions{};
  if (!applying_)
    return out;
  applied_.insert(*applying_);
  applying_.reset();
  next(out);
  return out;
}

replica_core::actions replica_core::on_tick() {
  auto out = actions{};
  if (std::exchange(progress_, false))
    return out;
  out.emplace_back(announce{});
  if (holder_ && listed_)
    out.emplace_back(follow{*holder_, true});
  return out;
}

} // namespace troupe
