package import Packets

extension RuleImage {
  /// Tries the rules from an index on, until one decides.
  ///
  /// An unreadable packet is denied and nowhere counted (ip_fw2.c: "pullup failed").
  ///
  /// - Parameter index: Where to begin: 0, ``RuleSet/index(after:)`` a tag, or ``Verdict/next`` after a tee.
  /// - Complexity: That of the rules that match, and a look-up in each dimension that the rules ask for; no allocation.
  package func evaluate(
    _ packet: PacketFields, _ pass: Pass, from index: Int, counters: inout RuleCounters
  ) -> Verdict {
    var random = SystemRandomNumberGenerator()
    return evaluate(packet, pass, from: index, counters: &counters, random: &random)
  }

  /// The same with a given source for `prob`: the upper 32 bits of a number for each such rule that matches.
  package func evaluate(
    _ packet: PacketFields, _ pass: Pass, from index: Int, counters: inout RuleCounters,
    random: inout some RandomNumberGenerator
  ) -> Verdict {
    guard packet.isReadable else {
      return Verdict(decision: .deny, ruleNumber: RuleSet.defaultNumber, next: rules.count + 1)
    }
    let words = words.span
    let enabled = words.first(ImageLayout.Block.sets)
    let position = firstPositions.isEmpty ? index : Int(firstPositions[index])
    var walk = PositionWalk(rules, from: position)
    find(&walk, packet, pass, words)
    while true {
      let position = walk.next(words)
      let rule = rules.rules + position * ImageLayout.Rule.size
      let identity = words[rule + ImageLayout.Rule.identity]
      guard enabled & 1 << (UInt32(truncatingIfNeeded: identity >> 16) & 31) != 0 else { continue }
      let steps = words[rule + ImageLayout.Rule.steps]
      if UInt32(truncatingIfNeeded: steps) != ImageStep.matches,
        !answer(UInt32(truncatingIfNeeded: steps), rules, packet, pass, words)
      {
        continue
      }
      let argument = words[rule + ImageLayout.Rule.argument]
      let flags = ImageLayout.Flags(rawValue: UInt32(truncatingIfNeeded: argument >> 32))
      if flags.contains(.probability), random.next() >> 32 >= steps >> 32 {
        if flags.contains(.hasMorePositions) { walk.go(to: Int(words.first(rule + ImageLayout.Rule.next))) }
        continue
      }
      if flags.contains(.sparesNeighbourDiscovery), packet.isNeighbourDiscovery { continue }
      counters.count(slot: Int(identity >> 32), bytes: packet.length)
      let decision: Verdict.Decision
      let port = UInt16(truncatingIfNeeded: argument)
      switch ImageAction(rawValue: UInt8(truncatingIfNeeded: identity >> 24)) {
      case .count:
        if flags.contains(.hasMorePositions) { walk.go(to: Int(words.first(rule + ImageLayout.Rule.next))) }
        continue
      case .skipto:
        walk.go(to: Int(UInt32(truncatingIfNeeded: argument)))
        continue
      case .allow, .wait: decision = .allow
      case .deny, nil: decision = .deny
      case .divert, .waitForPort: decision = .divert(port: port)
      case .tee: decision = .tee(port: port)
      }
      return Verdict(
        decision: decision, ruleNumber: UInt16(truncatingIfNeeded: identity),
        next: Int(words.second(rule + ImageLayout.Rule.next)) + 1)
    }
  }

  /// Which fragments a gate is for.
  package enum Gate: Sendable { case received, locallyMade }

  /// Whether a rule of a gate matches a fragment, and for its port, where it has one, the answer is yes.
  package func waits(
    _ packet: PacketFields, _ pass: Pass, at gate: Gate, _ takesWholePackets: (UInt16) -> Bool
  ) -> Bool {
    let section =
      switch gate {
      case .received: received
      case .locallyMade: locallyMade
      }
    guard let section, packet.isReadable else { return false }
    let words = words.span
    var walk = PositionWalk(section, from: 0)
    find(&walk, packet, pass, words)
    while true {
      let rule = section.rules + walk.next(words) * ImageLayout.Rule.size
      let identity = words[rule + ImageLayout.Rule.identity]
      guard enabledSets & 1 << (UInt32(truncatingIfNeeded: identity >> 16) & 31) != 0 else { continue }
      let steps = words.first(rule + ImageLayout.Rule.steps)
      if steps != ImageStep.matches, !answer(steps, section, packet, pass, words) { continue }
      let flags = ImageLayout.Flags(rawValue: words.second(rule + ImageLayout.Rule.argument))
      if flags.contains(.sparesNeighbourDiscovery), packet.isNeighbourDiscovery { continue }
      switch ImageAction(rawValue: UInt8(truncatingIfNeeded: identity >> 24)) {
      case .wait: return true
      case .waitForPort:
        if takesWholePackets(UInt16(truncatingIfNeeded: words.first(rule + ImageLayout.Rule.argument))) {
          return true
        }
      case .deny, nil: return false
      case .allow, .count, .divert, .tee, .skipto: continue
      }
    }
  }

  // MARK: Dimensions

  /// Finds the packet's class in each dimension that there is.
  @inline(__always)
  private func find(_ walk: inout PositionWalk, _ packet: PacketFields, _ pass: Pass, _ words: Span<UInt64>) {
    let is6 = packet.version == 6
    var left = walk.section.dimensions
    let records = 2 * (walk.section.place + ImageLayout.Section.records)
    while left != 0, walk.mayMatch {
      let dimension = left.trailingZeroBitCount
      left &= left - 1
      let record = Int(words.half(records + dimension))
      let place: UInt32
      switch Dimension(rawValue: UInt8(truncatingIfNeeded: dimension)) {
      case .protocolNumber:
        place = words.half(
          2 * record + DimensionValue.protocolNumber(packet.protocolNumber, version6: is6))
      case .destinationPort: place = Self.port(packet.destinationPort, packet.hasPorts, record, words)
      case .sourcePort: place = Self.port(packet.sourcePort, packet.hasPorts, record, words)
      case .destination:
        place =
          is6
          ? Self.longest(packet.destination6, record, words)
          : Self.longest(packet.destination4.rawValue, record, words)
      case .source:
        place =
          is6
          ? Self.longest(packet.source6, record, words)
          : Self.longest(packet.source4.rawValue, record, words)
      case .receive: place = Self.longest(pass.receiveInterface, record, words)
      case .transmit:
        place = Self.longest(pass.direction == .outgoing ? pass.transmitInterface : 0, record, words)
      case .via: place = Self.longest(pass.via, record, words)
      case .tcpFlags:
        let isThere = packet.protocolNumber == 6 && packet.hasPorts
        place = words.half(2 * record + (isThere ? Int(packet.tcpFlags) : DimensionValue.noTCPFlags))
      case .icmpType:
        let isThere = !is6 && packet.hasICMPType && packet.icmpType < 32
        place = words.half(2 * record + (isThere ? Int(packet.icmpType) : DimensionValue.noICMPType))
      case .fragment:
        let value =
          !is6
          ? Int(packet.fragmentBits)
          : packet.fragmentOffset != 0 ? DimensionValue.laterFragment6 : DimensionValue.fragment6
        place = words.half(2 * record + value)
      case .local:
        let lookUps = ImageLayout.LocalLookUps(rawValue: words.second(ImageLayout.Block.moreSections))
        var value = is6 ? 4 : 0
        if lookUps.contains(.source), isLocal(packet, isDestination: false) { value |= 1 }
        if lookUps.contains(.destination), isLocal(packet, isDestination: true) { value |= 2 }
        place = words.half(2 * record + value)
      case .pass:
        place = words.half(2 * record + Int(pass.imageValue))
      case .mask0, .mask1, .mask2, .mask3, .mask4, .mask5, .mask6, nil:
        let isDestination = words.first(record + ImageLayout.Prefixes.field) != 0
        if is6 {
          place = Self.longest(isDestination ? packet.destination6 : packet.source6, record, words)
        } else {
          place = Self.longest((isDestination ? packet.destination4 : packet.source4).rawValue, record, words)
        }
      }
      walk.add(place, words)
    }
    walk.begin(words)
  }

  @inline(__always)
  private static func port(_ port: UInt16, _ hasPorts: Bool, _ record: Int, _ words: Span<UInt64>) -> UInt32 {
    guard hasPorts else { return words.first(record + ImageLayout.Ports.without) }
    let entry = words.half(2 * (record + ImageLayout.Ports.pages) + Int(port >> 8))
    guard entry & ImageLayout.Ports.isPage != 0 else { return entry }
    return words.half(2 * Int(entry & ~ImageLayout.Ports.isPage) + Int(port & 0xff))
  }

  /// The class of the longest prefix that holds a value.
  @inline(__always)
  private static func longest(_ value: UInt32, _ record: Int, _ words: Span<UInt64>) -> UInt32 {
    var place = words.first(record + ImageLayout.Prefixes.first32)
    var node = Int(words.second(record + ImageLayout.Prefixes.first32))
    while node != 0 {
      let masked = value & words.first(node + ImageLayout.Node.mask32)
      var entry = Int(words.second(node + ImageLayout.Node.mask32))
      let hash = words[node + ImageLayout.Node.hash32]
      entry += Int(
        (masked &* UInt32(truncatingIfNeeded: hash >> 32)) &>> UInt32(truncatingIfNeeded: hash))
      let next = words[node + ImageLayout.Node.next32]
      var found: UInt32 = 0
      for _ in 0..<ImageLayout.Entry.probes {
        let word = words[entry]
        if word == 0 { break }
        if UInt32(truncatingIfNeeded: word) == masked, word >> 32 != 0 {
          found = UInt32(truncatingIfNeeded: word >> 32)
          break
        }
        entry += 1
      }
      if found == 0 {
        node = Int(next >> 32)
      } else {
        place = found & ~ImageLayout.Entry.hasLonger
        node = found & ImageLayout.Entry.hasLonger != 0 ? Int(next & 0xffff_ffff) : 0
      }
    }
    return place
  }

  @inline(__always)
  private static func longest(_ value: IPv6Address, _ record: Int, _ words: Span<UInt64>) -> UInt32 {
    var place = words.first(record + ImageLayout.Prefixes.first128)
    var node = Int(words.second(record + ImageLayout.Prefixes.first128))
    while node != 0 {
      let high = value.high & words[node + ImageLayout.Node.mask128]
      let low = value.low & words[node + ImageLayout.Node.mask128 + 1]
      let shift = UInt64(words.first(node + ImageLayout.Node.hash128))
      var entry = Int(words.second(node + ImageLayout.Node.hash128))
      entry += Int(imageHash(high, low) &>> shift) * ImageLayout.Entry.size128
      let next = words[node + ImageLayout.Node.next128]
      var found: UInt32 = 0
      for _ in 0..<ImageLayout.Entry.probes {
        let meaning = words.first(entry + 2)
        if meaning == 0 { break }
        if words[entry] == high, words[entry + 1] == low {
          found = meaning
          break
        }
        entry += ImageLayout.Entry.size128
      }
      if found == 0 {
        node = Int(next >> 32)
      } else {
        place = found & ~ImageLayout.Entry.hasLonger
        node = found & ImageLayout.Entry.hasLonger != 0 ? Int(next & 0xffff_ffff) : 0
      }
    }
    return place
  }

  private func isLocal(_ packet: PacketFields, isDestination: Bool) -> Bool {
    packet.version == 4
      ? isLocal(isDestination ? packet.destination4 : packet.source4)
      : isLocal(isDestination ? packet.destination6 : packet.source6)
  }

  private func isLocal(_ address: IPv4Address) -> Bool {
    let addresses = local4.span
    var (low, high) = (0, addresses.count)
    while low < high {
      let middle = (low + high) / 2
      if addresses[middle] < address.rawValue { low = middle + 1 } else { high = middle }
    }
    return low < addresses.count && addresses[low] == address.rawValue
  }

  private func isLocal(_ address: IPv6Address) -> Bool {
    let addresses = local6.span
    var (low, high) = (0, addresses.count)
    while low < high {
      let middle = (low + high) / 2
      let found = addresses[middle]
      if (found.high, found.low) < (address.high, address.low) { low = middle + 1 } else { high = middle }
    }
    return low < addresses.count && addresses[low] == address
  }

  // MARK: Steps

  private func answer(
    _ first: UInt32, _ section: Section, _ packet: PacketFields, _ pass: Pass, _ words: Span<UInt64>
  ) -> Bool {
    var number = first
    while number < ImageStep.fails {
      let step = section.steps + Int(number) * ImageStep.size
      let identity = words.first(step + ImageStep.identity)
      let operands = words[step + ImageStep.operands]
      let (first, second) = (UInt32(truncatingIfNeeded: operands), UInt32(truncatingIfNeeded: operands >> 32))
      let field = ImageField(rawValue: UInt8(truncatingIfNeeded: identity >> 8))
      let holds: Bool
      switch ImageStep.Operation(rawValue: UInt8(truncatingIfNeeded: identity)) {
      case .masked: holds = value(field, packet, pass) & first == second
      case .range:
        let value = value(field, packet, pass)
        holds = first <= value && value <= second
      case .bit:
        let value = value(field, packet, pass)
        holds = value < 32 && first & 1 << value != 0
      case .address128:
        let address = field == .source4 ? packet.source6 : packet.destination6
        let place = Int(first)
        holds =
          address.high & words[place + 2] == words[place]
          && address.low & words[place + 3] == words[place + 1]
      case nil: holds = false
      }
      number = holds ? words.first(step + ImageStep.next) : words.second(step + ImageStep.next)
    }
    return number == ImageStep.matches
  }

  private func value(_ field: ImageField?, _ packet: PacketFields, _ pass: Pass) -> UInt32 {
    switch field {
    case .version: UInt32(packet.version)
    case .transportKind: UInt32(packet.transport.rawValue)
    case .sourcePort: UInt32(packet.sourcePort)
    case .destinationPort: UInt32(packet.destinationPort)
    case .icmpType: UInt32(packet.icmpType)
    case .tcpFlags: UInt32(packet.tcpFlags)
    case .fragmentOffset: UInt32(packet.fragmentOffset)
    case .receiveInterface: pass.receiveInterface
    case .transmitInterface: pass.direction == .outgoing ? pass.transmitInterface : 0
    case .source4: packet.source4.rawValue
    case .destination4: packet.destination4.rawValue
    case .protocolNumber: UInt32(packet.protocolNumber)
    case .sourceIsLocal: isLocal(packet, isDestination: false) ? 1 : 0
    case .destinationIsLocal: isLocal(packet, isDestination: true) ? 1 : 0
    case .fragmentBits: UInt32(packet.fragmentBits)
    case .via: pass.via
    case .pass: pass.imageValue
    case nil: 0
    }
  }
}

extension Pass {
  @inline(__always)
  fileprivate var via: UInt32 { direction == .incoming ? receiveInterface : transmitInterface }

  /// Its value in ``Dimension/pass``.
  @inline(__always)
  fileprivate var imageValue: UInt32 { UInt32(direction.rawValue) | (isReinjected ? 2 : 0) }
}
