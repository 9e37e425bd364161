/// A dimension of ports: at which ports rules begin to match and cease to.
struct PortClasses {
  private var boundaries: [Boundary] = []
  private var constrained: [UInt32] = []
  /// Of the constrained ones, those that match packets without ports.
  private var withoutPorts: [UInt32] = []

  private struct Boundary {
    let port: UInt32
    let position: UInt32
  }

  var isUsed: Bool { !constrained.isEmpty }

  /// - Parameter clauses: All must hold, of each one term at least.
  mutating func add(_ position: UInt32, _ clauses: [[(ranges: [ClosedRange<UInt16>], negated: Bool)]]) {
    var set: PortSet?
    for clause in clauses {
      let union = clause.reduce(PortSet()) { sum, term in
        let ports = PortSet(term.ranges)
        return sum.union(term.negated ? ports.complement : ports)
      }
      set = set.map { $0.intersection(union) } ?? union
    }
    guard let set else { return }
    let matchesWithout = clauses.allSatisfy { $0.contains(where: \.negated) }
    add(position, set, matchesWithout)
  }

  mutating func add(_ position: UInt32, _ ranges: [ClosedRange<UInt16>], negated: Bool) {
    if !negated, ranges.count == 1 { return add(position, PortSet(sorted: ranges), false) }
    let set = PortSet(ranges)
    add(position, negated ? set.complement : set, negated)
  }

  private mutating func add(_ position: UInt32, _ set: PortSet, _ matchesWithout: Bool) {
    constrained.append(position)
    guard position < ImageLayout.positionLimit else { return }
    if matchesWithout { withoutPorts.append(position) }
    for range in set.ranges {
      boundaries.append(Boundary(port: UInt32(range.lowerBound), position: position))
      if range.upperBound < .max {
        boundaries.append(Boundary(port: UInt32(range.upperBound) + 1, position: position))
      }
    }
  }

  /// - Returns: Where the record is.
  func write(_ vectors: inout VectorWriter, _ writer: inout ImageWriter) -> UInt32 {
    var rest = vectors.all
    rest.flip(constrained)
    var base = vectors.base(rest, &writer)
    var unchanged = vectors.write(base, [], &writer)
    var other = rest
    other.flip(withoutPorts)
    let without = withoutPorts.isEmpty ? unchanged : vectors.write(other, near: base, &writer)

    var classes = [UInt32](repeating: 0, count: 65_536)
    var changes: [VectorWriter.Change] = []
    let sorted = sortedBoundaries
    var next = 0
    var from = 0
    var current = unchanged
    var cost = 0
    while next < sorted.count {
      let port = Int(sorted[next].port)
      for index in from..<port { classes[index] = current }
      from = port
      while next < sorted.count, Int(sorted[next].port) == port {
        changes.flip(sorted[next].position)
        next += 1
      }
      cost += changes.count
      if changes.isEmpty {
        current = unchanged
      } else if vectors.depth == .groups, cost > vectors.baseSize {
        var words = base.words
        for change in changes { words[Int(change.word)] ^= change.bits }
        base = vectors.base(words, &writer)
        unchanged = vectors.write(base, [], &writer)
        current = unchanged
        changes.removeAll(keepingCapacity: true)
        cost = 0
      } else {
        current = vectors.write(base, changes, &writer)
      }
    }
    for index in from..<65_536 { classes[index] = current }
    return Self.write(classes, without, &writer)
  }

  private static func write(_ classes: [UInt32], _ without: UInt32, _ writer: inout ImageWriter) -> UInt32 {
    let record = writer.allocate(ImageLayout.Ports.size)
    writer.store(without, 0, at: record)
    for page in 0..<256 {
      let ports = page * 256..<page * 256 + 256
      var entry = classes[ports.lowerBound]
      if ports.contains(where: { classes[$0] != entry }) {
        let table = writer.words.count
        for port in stride(from: ports.lowerBound, to: ports.upperBound, by: 2) {
          writer.append(classes[port], classes[port + 1])
        }
        entry = UInt32(table) | ImageLayout.Ports.isPage
      }
      writer.storeHalf(entry, at: 2 * (record + ImageLayout.Ports.pages) + page)
    }
    return UInt32(record)
  }

  /// By port, then by position.
  private var sortedBoundaries: [Boundary] {
    var starts = [Int32](repeating: 0, count: 65_537)
    for boundary in boundaries { starts[Int(boundary.port) + 1] += 1 }
    for port in 1...65_536 { starts[port] += starts[port - 1] }
    var sorted = boundaries
    for boundary in boundaries {
      sorted[Int(starts[Int(boundary.port)])] = boundary
      starts[Int(boundary.port)] += 1
    }
    return sorted
  }
}

extension [VectorWriter.Change] {
  /// Changes a position's bit; the changes stay in order, and none is empty.
  mutating func flip(_ position: UInt32) {
    let (word, bit) = (position >> 6, UInt64(1) << UInt64(position & 63))
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if self[middle].word < word { low = middle + 1 } else { high = middle }
    }
    guard low < count, self[low].word == word else {
      return insert(VectorWriter.Change(word: word, bits: bit), at: low)
    }
    self[low].bits ^= bit
    if self[low].bits == 0 { remove(at: low) }
  }
}

/// Ports as sorted ranges that do not touch.
struct PortSet {
  private(set) var ranges: [ClosedRange<UInt16>] = []

  init() {}

  init(sorted ranges: [ClosedRange<UInt16>]) { self.ranges = ranges }

  init(_ ranges: [ClosedRange<UInt16>]) {
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = self.ranges.last, Int(range.lowerBound) <= Int(last.upperBound) + 1 {
        self.ranges[self.ranges.count - 1] = last.lowerBound...Swift.max(last.upperBound, range.upperBound)
      } else {
        self.ranges.append(range)
      }
    }
  }

  func union(_ other: PortSet) -> PortSet { ranges.isEmpty ? other : PortSet(ranges + other.ranges) }

  var complement: PortSet {
    var result = PortSet()
    var next = 0
    for range in ranges {
      if next < range.lowerBound { result.ranges.append(UInt16(next)...range.lowerBound - 1) }
      next = Int(range.upperBound) + 1
    }
    if next <= Int(UInt16.max) { result.ranges.append(UInt16(next)...(.max)) }
    return result
  }

  func intersection(_ other: PortSet) -> PortSet { complement.union(other.complement).complement }
}
