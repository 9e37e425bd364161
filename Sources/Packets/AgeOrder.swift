/// Slots in groups, each group in the order its slots came; a slot is in one group at most. All of it O(1).
struct AgeOrder<Group: Hashable & Sendable>: Sendable {
  private struct Ends {
    var oldest: Int
    var newest: Int
    var count = 1
  }

  private var groups: [Group: Ends] = [:]
  /// By slot; the neighbours in its group.
  private var neighbours: [(older: Int?, newer: Int?)] = []

  func count(of group: Group) -> Int { groups[group]?.count ?? 0 }
  func oldest(of group: Group) -> Int? { groups[group]?.oldest }

  mutating func append(_ slot: Int, to group: Group) {
    while neighbours.count <= slot { neighbours.append((nil, nil)) }
    guard var ends = groups[group] else {
      neighbours[slot] = (nil, nil)
      groups[group] = Ends(oldest: slot, newest: slot)
      return
    }
    neighbours[slot] = (older: ends.newest, newer: nil)
    neighbours[ends.newest].newer = slot
    ends.newest = slot
    ends.count += 1
    groups[group] = ends
  }

  mutating func remove(_ slot: Int, from group: Group) {
    guard var ends = groups[group] else { return }
    ends.count -= 1
    switch neighbours[slot] {
    case (nil, nil):
      groups[group] = nil
      return
    case (nil, let newer?):
      neighbours[newer].older = nil
      ends.oldest = newer
    case (let older?, nil):
      neighbours[older].newer = nil
      ends.newest = older
    case (let older?, let newer?):
      neighbours[older].newer = newer
      neighbours[newer].older = older
    }
    groups[group] = ends
  }
}
