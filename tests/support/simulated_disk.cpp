#include "tests/support/simulated_disk.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

namespace troupe::testing {

namespace fs = std::filesystem;

class simulated_disk::tracked final : public file_system::output {
public:
  tracked(simulated_disk& disk, std::unique_ptr<output> out, std::shared_ptr<inode> node, fs::path path)
    : disk_(disk), out_(std::move(out)), node_(std::move(node)), path_(std::move(path)) {}

  expected<void> write(std::span<const std::byte> part) override {
    auto ok = disk_.full_by_chance(path_);
    if (!ok)
      part = part.first(part.size() / 2);
    if (disk_.reaches_disk())
      node_->now.insert(node_->now.end(), part.begin(), part.end());
    if (auto written = out_->write(part); !written)
      return written;
    return ok;
  }

  expected<void> sync() override {
    if (auto ok = disk_.full_by_chance(path_); !ok)
      return ok;
    if (disk_.reaches_disk())
      node_->on_disk = node_->now;
    return {};
  }

private:
  simulated_disk& disk_;
  std::unique_ptr<output> out_;
  std::shared_ptr<inode> node_;
  fs::path path_;
};

simulated_disk::simulated_disk(fs::path root, dice chance) : root_(std::move(root)), chance_(chance) {
  read_back();
}

/// What is in the folder is on the disk.
void simulated_disk::read_back() {
  names_.clear();
  durable_.clear();
  pending_.clear();
  for (const auto& entry : fs::recursive_directory_iterator{root_})
    if (entry.is_regular_file()) {
      std::ifstream in{entry.path(), std::ios::binary};
      bytes content;
      for (std::istreambuf_iterator<char> at{in}, end; at != end; ++at)
        content.push_back(static_cast<std::byte>(*at));
      names_[entry.path()] = durable_[entry.path()] = std::make_shared<inode>(inode{content, content});
    }
}

bool simulated_disk::reaches_disk() {
  return !left_ || (*left_ >= 0 && --*left_ >= 0);
}

expected<void> simulated_disk::full_by_chance(const fs::path& path) {
  if (faults_ > 0 && chance_.chance(faults_))
    return fail(fmt::format("cannot write {}: No space left on device", path.string()));
  return {};
}

expected<void> simulated_disk::make_folder(const fs::path& path) {
  return full_by_chance(path).and_then([&] { return real().make_folder(path); });
}

expected<std::unique_ptr<learn::file_system::output>> simulated_disk::create(const fs::path& path) {
  if (auto ok = full_by_chance(path); !ok)
    return tl::unexpected(ok.error());
  auto out = real().create(path);
  return out ? track(path, std::move(*out)) : std::move(out);
}

expected<std::unique_ptr<learn::file_system::output>> simulated_disk::claim(const fs::path& path) {
  if (auto ok = full_by_chance(path); !ok)
    return tl::unexpected(ok.error());
  auto out = real().claim(path);
  return out && *out ? track(path, std::move(*out)) : std::move(out);
}

std::unique_ptr<learn::file_system::output> simulated_disk::track(const fs::path& path, std::unique_ptr<output> out) {
  auto node = std::make_shared<inode>();
  if (reaches_disk()) {
    names_[path] = node;
    pending_.push_back({path.parent_path(), {}, path, node});
  }
  return std::make_unique<tracked>(*this, std::move(out), std::move(node), path);
}

expected<void> simulated_disk::rename(const fs::path& from, const fs::path& to) {
  if (auto ok = full_by_chance(to); !ok)
    return ok;
  if (reaches_disk()) {
    std::vector<fs::path> inside; // the file itself, or the files of a folder
    for (const auto& [path, node] : names_)
      if (path == from || path.parent_path() == from)
        inside.push_back(path);
    change moved{.folder = to.parent_path(), .moves = {}, .name = {}, .node = {}};
    for (const auto& path : inside) {
      const auto target = path == from ? to : to / path.filename();
      moved.moves.emplace_back(path, target);
      names_[target] = names_[path];
      names_.erase(path);
    }
    pending_.push_back(std::move(moved));
  }
  return real().rename(from, to);
}

expected<void> simulated_disk::sync_folder(const fs::path& path) {
  if (auto ok = full_by_chance(path); !ok)
    return ok;
  if (reaches_disk()) {
    std::vector<change> rest;
    for (auto& c : pending_)
      if (c.folder == path)
        apply(c);
      else
        rest.push_back(std::move(c));
    pending_ = std::move(rest);
  }
  return {};
}

expected<void> simulated_disk::remove(const fs::path& path) {
  if (reaches_disk()) {
    const auto gone = [&](const auto& entry) { return entry.first == path || entry.first.parent_path() == path; };
    std::erase_if(names_, gone);
    std::erase_if(durable_, gone);
  }
  return real().remove(path);
}

void simulated_disk::lose_power() {
  for (const auto& c : pending_)
    if (chance_.below(2) == 0)
      apply(c);
  fs::remove_all(root_);
  fs::create_directories(root_);
  for (const auto& [path, node] : durable_) {
    fs::create_directories(path.parent_path());
    const auto content = survives(*node);
    std::ofstream out{path, std::ios::binary | std::ios::trunc};
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  }
  left_.reset();
  read_back();
}

void simulated_disk::apply(const change& c) {
  if (c.node)
    durable_[c.name] = c.node;
  for (const auto& [from, to] : c.moves)
    if (const auto at = durable_.find(from); at != durable_.end()) {
      durable_[to] = at->second;
      durable_.erase(from);
    }
}

simulated_disk::bytes simulated_disk::survives(const inode& node) {
  bytes result = node.on_disk;
  if (node.now == node.on_disk)
    return result;
  switch (chance_.below(3)) {
  case 0:
    return result;
  case 1:
    return node.now;
  default:
    result.resize(node.now.size());
    for (size_t i = node.on_disk.size(); i < result.size(); ++i)
      result[i] = chance_.below(2) == 0 ? std::byte{0} : node.now[i];
    return result;
  }
}

} // namespace troupe::testing
