/// A dimension of addresses or interfaces: at which prefixes rules begin to match and cease to.
struct PrefixClasses {
  private var tree32 = PrefixTree<UInt32>()
  private var tree128 = PrefixTree<UInt128>()
  private var constrained: [UInt32] = []
  /// Of the constrained ones, those that match where no prefix holds.
  private var elsewhere: [UInt32] = []

  /// More prefixes of a rule are not compared with each other.
  static let limit = 256

  var isUsed: Bool { !constrained.isEmpty }

  typealias Term = (prefixes: [TestSet.Prefix], negated: Bool)

  /// - Parameter clauses: All must hold, of each one term at least.
  /// - Returns: false where that is too much.
  mutating func add(_ position: UInt32, _ clauses: [[Term]]) -> Bool {
    if clauses.count == 1, let only = clauses.first {
      if only.count == 1, let term = only.first {
        add(position, term.prefixes, negated: term.negated)
        return true
      }
      if only.allSatisfy({ !$0.negated }) {
        add(position, only.flatMap(\.prefixes), negated: false)
        return true
      }
    }
    let all = clauses.flatMap { $0.flatMap(\.prefixes) }
    guard all.count <= Self.limit else { return false }
    let outside = clauses.allSatisfy { $0.contains(where: \.negated) }
    note(position, outside)
    let sorted = Self.sorted(all)
    var answers: [(prefix: TestSet.Prefix, answer: Bool)] = []
    for prefix in sorted {
      let answer = clauses.allSatisfy { clause in
        clause.contains { term in term.prefixes.contains { $0.holds(prefix) } != term.negated }
      }
      let before = answers.last { $0.prefix.holds(prefix) }?.answer ?? outside
      if answer != before { toggle(position, prefix) }
      answers.append((prefix, answer))
    }
    return true
  }

  mutating func add(_ position: UInt32, _ prefixes: [TestSet.Prefix], negated: Bool) {
    note(position, negated)
    guard prefixes.count > 1 else {
      if let only = prefixes.first { toggle(position, only) }
      return
    }
    // Those that lie in another one change nothing.
    var last: TestSet.Prefix?
    for prefix in Self.sorted(prefixes) where last.map({ !$0.holds(prefix) }) ?? true {
      toggle(position, prefix)
      last = prefix
    }
  }

  mutating func add(_ position: UInt32, _ prefix: TestSet.Prefix, negated: Bool) {
    note(position, negated)
    toggle(position, prefix)
  }

  private mutating func note(_ position: UInt32, _ outside: Bool) {
    constrained.append(position)
    if outside { elsewhere.append(position) }
  }

  private mutating func toggle(_ position: UInt32, _ prefix: TestSet.Prefix) {
    guard position < ImageLayout.positionLimit else { return }
    if prefix.is128 {
      tree128.toggles.append(.init(value: prefix.value, length: prefix.length, position: position))
    } else {
      tree32.toggles.append(
        .init(value: UInt32(truncatingIfNeeded: prefix.value), length: prefix.length, position: position))
    }
  }

  /// Each before those that lie in it, and only once.
  private static func sorted(_ prefixes: [TestSet.Prefix]) -> [TestSet.Prefix] {
    let sorted = prefixes.sorted {
      ($0.is128 ? 1 : 0, $0.value, $0.length) < ($1.is128 ? 1 : 0, $1.value, $1.length)
    }
    return sorted.indices.filter { $0 == 0 || sorted[$0 - 1] != sorted[$0] }.map { sorted[$0] }
  }

  /// - Parameters:
  ///   - mask: Instead of prefixes, values under this one.
  ///   - isDestination: Of which address, if there is a mask.
  /// - Returns: Where the record is.
  func write(
    _ vectors: inout VectorWriter, mask: UInt128? = nil, isDestination: Bool = false,
    _ writer: inout ImageWriter
  ) -> UInt32 {
    var rest = vectors.all
    rest.flip(constrained)
    rest.flip(elsewhere)
    let record = writer.allocate(ImageLayout.Prefixes.size)
    let base = vectors.base(rest, &writer)
    let first32 = tree32.write(
      base, &vectors, mask: mask.map { UInt32(truncatingIfNeeded: $0) }, &writer)
    let first128 = tree128.write(base, &vectors, mask: mask, &writer)
    writer.store(first32.other, first32.node, at: record + ImageLayout.Prefixes.first32)
    writer.store(first128.other, first128.node, at: record + ImageLayout.Prefixes.first128)
    writer.store(isDestination ? 1 : 0, 0, at: record + ImageLayout.Prefixes.field)
    return UInt32(record)
  }
}

extension TestSet.Prefix {
  func holds(_ other: TestSet.Prefix) -> Bool {
    guard is128 == other.is128, length <= other.length else { return false }
    return is128
      ? (value ^ other.value) & .mask(length) == 0
      : UInt32(truncatingIfNeeded: value ^ other.value) & .mask(length) == 0
  }
}
