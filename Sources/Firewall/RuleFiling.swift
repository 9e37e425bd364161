import Packets

/// Builds a ``RuleIndex``: which rule is filed where.
struct RuleFiling {
  private let rules: ResolvedRules
  private var lookUps: [(field: RuleIndex.Field, lookUp: RuleIndex.LookUp)] = []
  private var numbers: [LookUpName: Int] = [:]
  private var used: [Bool] = []
  /// All that rules could be filed under: hashes, and for each clause its part of them.
  private var keys: [Key] = []
  private var clauses: [ClauseKeys] = []
  /// How many keys share a hash's upper bits.
  private var crowd: [UInt32] = []
  private let crowdShift: UInt64
  /// The chosen ones, by rule.
  private var chosen: [(rule: UInt32, hash: UInt64)] = []
  private(set) var unfiled: [UInt32] = []

  private struct LookUpName: Hashable {
    let field: RuleIndex.Field
    let mask: RuleIndex.Value
  }

  private struct Key {
    let hash: UInt64
    let lookUp: Int32
  }

  private struct ClauseKeys {
    let rule: UInt32
    let keys: Range<Int>
  }

  /// More values are not worth the room.
  private static let valueLimit = 64
  /// A packet looks up so many times at most.
  private static let lookUpLimit = 64

  init(_ rules: ResolvedRules) {
    self.rules = rules
    crowdShift = Self.shift(for: rules.rules.count * 2)
    crowd = [UInt32](repeating: 0, count: 1 << Int(64 - crowdShift))
  }

  /// Leaves so many upper bits of a hash that they name twice as many slots at least, and never less than 64.
  private static func shift(for count: Int) -> UInt64 {
    UInt64(min(58, (max(1, count) * 2 - 1).leadingZeroBitCount))
  }

  var slotShift: UInt64 { Self.shift(for: chosen.count) }

  /// Field by field.
  var usedLookUps: [(RuleIndex.Field, [RuleIndex.LookUp])] {
    let byField = Dictionary(grouping: lookUps.indices.filter { used[$0] }) { lookUps[$0].field }
    return byField.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { field, numbers in (field, numbers.map { lookUps[$0].lookUp }) }
  }

  var chosenHashes: some Sequence<UInt64> { chosen.lazy.map(\.hash) }

  /// Goes through what every clause of every rule could be filed under.
  mutating func count() {
    for (index, rule) in rules.rules.enumerated() where rule.isEnabled && rule.threshold == nil {
      var step = Int(rule.questions.start)
      while step < Int(rule.questions.end) {
        let end = Int(rules.steps[step].blockEnd)
        let first = keys.count
        if (step..<end).allSatisfy({ file(rules.steps[$0]) }), keys.count - first <= Self.valueLimit {
          clauses.append(ClauseKeys(rule: UInt32(index), keys: first..<keys.count))
          for key in keys[first...] { crowd[Int(key.hash >> crowdShift)] += 1 }
        } else {
          keys.removeSubrange(first...)
        }
        step = end
      }
    }
    used = [Bool](repeating: false, count: lookUps.count)
  }

  /// Files each rule under the clause whose values are the rarest. A rule with `prob` is filed nowhere: chance is
  /// asked before the packet is.
  mutating func choose() {
    var clause = 0
    for (index, rule) in rules.rules.enumerated() where rule.isEnabled {
      var best: (crowd: UInt32, keys: Range<Int>)?
      while clause < clauses.count, clauses[clause].rule == index {
        let range = clauses[clause].keys
        var most: UInt32 = 0
        for key in keys[range] { most = max(most, crowd[Int(key.hash >> crowdShift)]) }
        if best.map({ most < $0.crowd }) ?? true { best = (most, range) }
        clause += 1
      }
      guard let best else {
        unfiled.append(UInt32(index))
        continue
      }
      for key in keys[best.keys] {
        chosen.append((UInt32(index), key.hash))
        used[Int(key.lookUp)] = true
      }
    }
  }

  /// The rules filed nowhere, then those of each slot.
  func members() -> (starts: [UInt32], members: [UInt32]) {
    let slotShift = slotShift
    var starts = [UInt32](repeating: 0, count: (1 << Int(64 - slotShift)) + 1)
    for (_, hash) in chosen { starts[Int(hash >> slotShift) + 1] += 1 }
    starts[0] = UInt32(unfiled.count)
    for slot in 1..<starts.count { starts[slot] += starts[slot - 1] }
    var next = starts
    var members = unfiled + [UInt32](repeating: 0, count: chosen.count)
    for (rule, hash) in chosen {
      let slot = Int(hash >> slotShift)
      members[Int(next[slot])] = rule
      next[slot] += 1
    }
    return (starts, members)
  }

  /// Adds the values for which the answer may be yes. False: they cannot be listed, or are not worth it.
  private mutating func file(_ step: ResolvedRules.Step) -> Bool {
    guard !step.negated else { return false }
    switch step.question {
    case .version(let version): return file(.version, UInt64(version))
    case .protocolNumber(let number): return file(.protocolNumber, UInt64(number))
    case .source4(let address, let mask): return file(.source4, UInt64(address), mask: UInt64(mask))
    case .destination4(let address, let mask): return file(.destination4, UInt64(address), mask: UInt64(mask))
    case .source4Among(let place): return file(.source4, networks4: place)
    case .destination4Among(let place): return file(.destination4, networks4: place)
    case .source4InSet(let place): return file(.source4, addresses: place)
    case .destination4InSet(let place): return file(.destination4, addresses: place)
    case .source6(let place): return file(.source6, networks6: place)
    case .destination6(let place): return file(.destination6, networks6: place)
    case .sourcePort(let place): return file(.sourcePort, ports: place)
    case .destinationPort(let place): return file(.destinationPort, ports: place)
    case .direction(let direction): return file(.direction, UInt64(direction.rawValue))
    case .received(let place): return file(.received, interfaces: place)
    case .transmitted(let place): return file(.transmitted, interfaces: place)
    case .via(let place): return file(.via, interfaces: place)
    case .sourceIsLocal, .destinationIsLocal, .sourceIsLocal6, .destinationIsLocal6, .icmpTypes, .tcpFlags,
      .established, .fragment, .diverted, .divertedLoopback, .divertedOutput:
      return false
    }
  }

  private mutating func file(_ field: RuleIndex.Field, _ value: UInt64, mask: UInt64 = .max) -> Bool {
    file(field, RuleIndex.Value(low: value), mask: RuleIndex.Value(low: mask))
  }

  private mutating func file(
    _ field: RuleIndex.Field, _ value: RuleIndex.Value, mask: RuleIndex.Value
  ) -> Bool {
    let name = LookUpName(field: field, mask: mask)
    let number: Int
    if let known = numbers[name] {
      number = known
    } else {
      guard lookUps.count < Self.lookUpLimit else { return false }
      number = lookUps.count
      numbers[name] = number
      lookUps.append((field, .init(mask: mask, seed: UInt64(number + 1) &* 0xa076_1d64_78bd_642f)))
    }
    keys.append(Key(hash: lookUps[number].lookUp.hash(value), lookUp: Int32(number)))
    return true
  }

  private mutating func file(_ field: RuleIndex.Field, networks4 place: ResolvedRules.Place) -> Bool {
    place.indices.allSatisfy {
      let network = rules.networks4[$0]
      return file(field, UInt64(network.address.rawValue), mask: UInt64(network.mask))
    }
  }

  private mutating func file(_ field: RuleIndex.Field, networks6 place: ResolvedRules.Place) -> Bool {
    place.indices.allSatisfy {
      let (address, mask) = (rules.networks6[$0].address, rules.networks6[$0].mask)
      return file(
        field, RuleIndex.Value(high: address.high, low: address.low),
        mask: RuleIndex.Value(high: mask.high, low: mask.low))
    }
  }

  private mutating func file(_ field: RuleIndex.Field, addresses place: ResolvedRules.Place) -> Bool {
    place.indices.allSatisfy {
      file(field, UInt64(rules.sets4[$0].low)...UInt64(rules.sets4[$0].high))
    }
  }

  private mutating func file(_ field: RuleIndex.Field, ports place: ResolvedRules.Place) -> Bool {
    place.indices.allSatisfy {
      file(field, UInt64(rules.ports[$0].low)...UInt64(rules.ports[$0].high))
    }
  }

  private mutating func file(_ field: RuleIndex.Field, interfaces place: ResolvedRules.Place) -> Bool {
    place.indices.allSatisfy { file(field, UInt64(rules.interfaces[$0])) }
  }

  /// A range as blocks that a mask can name: 80-83 is 80 with the two lower bits masked.
  private mutating func file(_ field: RuleIndex.Field, _ range: ClosedRange<UInt64>) -> Bool {
    var low = range.lowerBound
    while low <= range.upperBound {
      var size: UInt64 = 1
      while low & size == 0, low + 2 * size - 1 <= range.upperBound { size *= 2 }
      guard file(field, low, mask: ~(size - 1)) else { return false }
      low += size
    }
    return true
  }
}

extension ResolvedRules.Place {
  var indices: Range<Int> { Int(start)..<Int(end) }
}
