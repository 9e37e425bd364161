import Packets

/// Finds the rules that a packet may match without asking every rule.
///
/// A rule is filed under the values that one of its clauses allows: `from 10.0.0.0/8` under source & 255.0.0.0 =
/// 10.0.0.0, `80,443` under two destination ports. Of its clauses, the one is taken whose values the fewest rules
/// share. A packet looks under its own values, once for each field and mask that rules are filed under, and meets
/// the rules there, and those that are filed nowhere, in the order of the rule set. All of them still ask all
/// their questions: the index only passes over rules that cannot match.
///
/// It is a hash table that does without keys: who lands in a slot of others meets a few rules too many.
struct RuleIndex: Sendable {
  /// A mask of a field under which rules are filed.
  struct LookUp: BitwiseCopyable, Sendable {
    let mask: Value
    /// Tells equal values of different look-ups apart.
    let seed: UInt64

    /// Multiplication spreads upwards, so the upper bits are the ones to take (Knuth, TAOCP 6.4).
    @inline(__always)
    func hash(_ value: Value) -> UInt64 {
      let mixed = (value.low & mask.low) ^ (value.high & mask.high) &* 0xda94_2042_e4dd_58b5 ^ seed
      return (mixed ^ (mixed >> 32)) &* 0x9e37_79b9_7f4a_7c15
    }
  }

  struct FieldLookUps: BitwiseCopyable, Sendable {
    let field: Field
    let lookUps: ResolvedRules.Place
  }

  enum Field: UInt8, BitwiseCopyable, Sendable {
    case version, protocolNumber, source4, destination4, source6, destination6, sourcePort, destinationPort
    case direction, received, transmitted, via
  }

  /// Of an IPv6 address both halves; of all else the lower one.
  struct Value: BitwiseCopyable, Hashable, Sendable {
    var high: UInt64 = 0
    var low: UInt64
  }

  private(set) var fields: [FieldLookUps] = []
  /// Field by field.
  private(set) var lookUps: [LookUp] = []
  /// A bit for each slot of a larger table, small enough to stay in the processor's first cache: most values of a
  /// packet end here.
  private(set) var filter: [UInt64] = []
  private(set) var filterShift: UInt64 = 0
  /// Where a slot's rules start in ``members``; one more than there are slots.
  private(set) var starts: [UInt32] = []
  private(set) var slotShift: UInt64 = 0
  /// Indexes of rules: those filed nowhere, then slot by slot, each time in order.
  private(set) var members: [UInt32] = []
  private(set) var unfiledCount: UInt32 = 0

  /// Without an index, all rules are candidates.
  var isEmpty: Bool { members.isEmpty }

  /// The index of no rules, for rule sets that are walked.
  init() {}

  init(_ rules: ResolvedRules) {
    var filing = RuleFiling(rules)
    filing.count()
    filing.choose()
    // Where most rules have to be asked anyway, a walk is faster.
    guard filing.unfiled.count * 2 <= rules.rules.count else { return }
    for (field, used) in filing.usedLookUps {
      let place = ResolvedRules.Place(start: UInt32(lookUps.count), end: UInt32(lookUps.count + used.count))
      fields.append(FieldLookUps(field: field, lookUps: place))
      lookUps += used
    }
    (starts, members) = filing.members()
    unfiledCount = starts[0]
    slotShift = filing.slotShift
    // Eight bits or more for a value: of the packet's values that no rule has, one in eight goes on at most.
    filterShift = slotShift - 2
    filter = [UInt64](repeating: 0, count: 1 << Int(64 - 6 - filterShift))
    for hash in filing.chosenHashes {
      filter[Int(hash &>> (filterShift + 6))] |= 1 &<< (hash &>> filterShift)
    }
  }

  /// Finds the rules that a packet may match.
  @inline(__always)
  func find(_ candidates: inout Candidates, for packet: PacketFields, _ pass: Pass) {
    guard !isEmpty else { return candidates.takeAll() }
    candidates.append(0, unfiledCount)
    let (fields, lookUps, filter, starts) = (fields.span, lookUps.span, filter.span, starts.span)
    for number in fields.indices {
      let place = fields[number].lookUps
      guard let value = fields[number].field.value(packet, pass) else { continue }
      for lookUp in Int(place.start)..<Int(place.end) {
        let hash = lookUps[lookUp].hash(value)
        guard filter[Int(hash &>> (filterShift + 6))] & 1 &<< (hash &>> filterShift) != 0 else { continue }
        let slot = Int(hash &>> slotShift)
        candidates.append(starts[slot], starts[slot + 1])
      }
    }
  }

  /// The rules that a packet may match, each once and in order.
  struct Candidates {
    private var places = InlineArray<16, ResolvedRules.Place>(repeating: .init(start: 0, end: 0))
    private var count = 0
    /// No index, or more places than there is room for: every rule is tried.
    private var areAll = false

    @inline(__always)
    mutating func takeAll() { areAll = true }

    @inline(__always)
    mutating func append(_ start: UInt32, _ end: UInt32) {
      guard start < end else { return }
      guard count < places.count else { return takeAll() }
      places[count] = ResolvedRules.Place(start: start, end: end)
      count += 1
    }

    /// The first one that does not lie before an index; that of no rule where there is none.
    @inline(__always)
    mutating func next(from index: Int, in members: Span<UInt32>) -> Int {
      if areAll { return index }
      var first = UInt32.max
      for number in 0..<count {
        let place = places[number]
        var start = place.start
        while start < place.end, members[Int(start)] < index { start += 1 }
        if start < place.end { first = min(first, members[Int(start)]) }
        if start != place.start { places[number] = ResolvedRules.Place(start: start, end: place.end) }
      }
      return Int(first)
    }
  }
}

extension RuleIndex.Field {
  /// nil where the packet has no such field; no rule that asks for it can match then.
  @inline(__always)
  func value(_ packet: PacketFields, _ pass: Pass) -> RuleIndex.Value? {
    switch self {
    case .version: return .init(low: UInt64(packet.version))
    case .protocolNumber: return .init(low: UInt64(packet.protocolNumber))
    case .source4: return packet.version == 4 ? .init(low: UInt64(packet.source4.rawValue)) : nil
    case .destination4: return packet.version == 4 ? .init(low: UInt64(packet.destination4.rawValue)) : nil
    case .source6:
      return packet.version == 6 ? .init(high: packet.source6.high, low: packet.source6.low) : nil
    case .destination6:
      return packet.version == 6 ? .init(high: packet.destination6.high, low: packet.destination6.low) : nil
    case .sourcePort: return packet.hasPorts ? .init(low: UInt64(packet.sourcePort)) : nil
    case .destinationPort:
      return packet.hasPorts ? .init(low: UInt64(packet.destinationPort)) : nil
    case .direction: return .init(low: UInt64(pass.direction.rawValue))
    case .received: return .init(low: UInt64(pass.receiveInterface))
    case .transmitted: return pass.direction == .outgoing ? .init(low: UInt64(pass.transmitInterface)) : nil
    case .via:
      return .init(
        low: UInt64(pass.direction == .incoming ? pass.receiveInterface : pass.transmitInterface))
    }
  }
}

extension RuleIndex {
  /// In bytes.
  var size: Int {
    lookUps.count * MemoryLayout<LookUp>.stride + filter.count * 8 + starts.count * 4 + members.count * 4
  }
}
