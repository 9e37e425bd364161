import BPF
import Firewall
import Packets

/// One piece of code per ``Test``: falls through where it holds, jumps where not.
extension RuleHook {
  mutating func require(_ clause: Clause, otherwise next: Label) {
    guard clause.terms.count > 1 else {
      if let only = clause.terms.first { require(only, otherwise: next) }
      return
    }
    let holds = assembler.makeLabel()
    // What a term makes sure of holds for that term only.
    let known = knownVersion
    for term in clause.terms {
      let another = assembler.makeLabel()
      require(term, otherwise: another)
      assembler.jump(to: holds)
      assembler.place(another)
      knownVersion = known
    }
    assembler.jump(to: next)
    assembler.place(holds)
  }

  private mutating func require(_ term: Term, otherwise next: Label) {
    if let answer = constantAnswer(term) {
      if !answer { assembler.jump(to: next) }
      return
    }
    guard term.negated else { return require(term.test, otherwise: next) }
    let known = knownVersion
    let doesNotHold = assembler.makeLabel()
    require(term.test, otherwise: doesNotHold)
    assembler.jump(to: next)
    assembler.place(doesNotHold)
    knownVersion = known
  }

  /// What can be said of a term without a packet: the direction is that of the program, and an interface that
  /// does not exist receives nothing.
  private func constantAnswer(_ term: Term) -> Bool? {
    let answer: Bool?
    switch term.test {
    case .direction(let direction): answer = direction == environment.direction
    case .diverted(let direction?): answer = direction == environment.direction ? nil : false
    case .transmitted(let match): answer = isOutgoing && !indexes(of: match).isEmpty ? nil : false
    case .received(let match), .via(let match): answer = indexes(of: match).isEmpty ? false : nil
    default: answer = nil
    }
    return answer.map { $0 != term.negated }
  }

  /// Whether no packet of this program can match.
  func isNever(_ clause: Clause) -> Bool { clause.terms.allSatisfy { constantAnswer($0) == false } }

  /// An upper bound for the instructions of clauses.
  func slots(_ clauses: [Clause]) -> Int { clauses.reduce(0) { $0 + slots($1) } }

  private func slots(_ clause: Clause) -> Int {
    clause.terms.reduce(0) { sum, term in
      switch term.test {
      case .sourcePort(let ranges), .destinationPort(let ranges): sum + 8 + 3 * ranges.count
      case .received(let match), .transmitted(let match), .via(let match):
        sum + 8 + 2 * indexes(of: match).count
      case .source(let match), .destination(let match):
        switch match {
        case .networks4(let networks): sum + 8 + 4 * networks.count
        case .networks6(let networks): sum + 8 + 16 * networks.count
        case .set4(let set): sum + 8 + 4 * set.ranges.count
        case .me, .me6, .network4, .network6: sum + 32
        }
      default: sum + 32
      }
    }
  }

  private func indexes(of match: InterfaceMatch) -> [UInt32] {
    host.interfaces.filter(match.matches).map(\.index)
  }

  private mutating func require(_ test: Test, otherwise next: Label) {
    switch test {
    case .direction: break  // constant
    case .version(let version): require(version: version, otherwise: next)
    case .protocolNumber(let number):
      require(protocolNumber: number, otherwise: next)
    case .source(let match): require(match, .source, otherwise: next)
    case .destination(let match): require(match, .destination, otherwise: next)
    case .sourcePort(let ranges): require(Variable.sourcePort, in: ranges, otherwise: next)
    case .destinationPort(let ranges): require(Variable.destinationPort, in: ranges, otherwise: next)
    case .received(let match): require(Variable.receiveInterface, in: indexes(of: match), otherwise: next)
    case .transmitted(let match): require(Variable.transmitInterface, in: indexes(of: match), otherwise: next)
    case .via(let match):
      let interface = isOutgoing ? Variable.transmitInterface : Variable.receiveInterface
      require(interface, in: indexes(of: match), otherwise: next)
    case .icmpTypes(let types):
      require(version: 4, otherwise: next)
      require(transport: TransportKind.icmp, otherwise: next)
      assembler.load(.word, .r1, from: .r7, Variable.icmpType)
      assembler.jump(if: .r1, .greater, 31, to: next)
      assembler.move(.r2, 1)
      assembler.calculate(.shiftLeft, .r2, .r1)
      assembler.calculate(.and, .r2, types)
      assembler.jump(if: .r2, .equal, 0, to: next)
    case .tcpFlags(let match):
      loadTCPFlags(otherwise: next)
      require(match, otherwise: next)
    case .established:
      loadTCPFlags(otherwise: next)
      assembler.calculate(.and, .r1, 0x16)
      assembler.jump(if: .r1, .equal, 0x02, to: next)
    case .diverted:
      assembler.load(.word, .r1, from: .r7, Variable.isDiverted)
      assembler.jump(if: .r1, .equal, 0, to: next)
    case .fragment(.laterFragment):
      assembler.load(.word, .r1, from: .r7, Variable.fragmentOffset)
      assembler.jump(if: .r1, .equal, 0, to: next)
    case .fragment(let match):
      require(version: 4, otherwise: next)
      loadFragmentBits()
      require(match, otherwise: next)
    }
  }

  private mutating func loadTCPFlags(otherwise next: Label) {
    require(protocolNumber: 6, otherwise: next)
    require(transport: TransportKind.ports, otherwise: next)
    assembler.load(.word, .r1, from: .r7, Variable.tcpFlags)
  }

  /// r1 = ``PacketFields/fragmentBits`` of an IPv4 packet.
  private mutating func loadFragmentBits() {
    let first = assembler.makeLabel()
    assembler.load(.byte, .r1, from: .r7, Variable.header + 6)
    assembler.calculate(.and, .r1, 0xe0)
    assembler.load(.word, .r2, from: .r7, Variable.fragmentOffset)
    assembler.jump(if: .r2, .equal, 0, to: first)
    assembler.calculate(.or, .r1, 1)
    assembler.place(first)
  }

  /// The bits in r1; changes it.
  private mutating func require(_ match: FlagMatch, otherwise next: Label) {
    // what must be set and clear at once never is
    guard match.set & match.clear == 0 else { return assembler.jump(to: next) }
    assembler.calculate(.and, .r1, UInt32(match.set | match.clear))
    assembler.jump(if: .r1, .notEqual, UInt32(match.set), to: next)
  }

  private mutating func require(protocolNumber: UInt8, otherwise next: Label) {
    assembler.load(.word, .r1, from: .r7, Variable.protocolNumber)
    assembler.jump(if: .r1, .notEqual, UInt32(protocolNumber), to: next)
  }

  private mutating func require(version: UInt8, otherwise next: Label) {
    guard knownVersion != version else { return }
    assembler.load(.word, .r1, from: .r7, Variable.version)
    assembler.jump(if: .r1, .notEqual, UInt32(version), to: next)
    knownVersion = version
  }

  private mutating func require(transport kind: UInt32, otherwise next: Label) {
    assembler.load(.word, .r1, from: .r7, Variable.transportKind)
    assembler.jump(if: .r1, .notEqual, kind, to: next)
  }

  private mutating func require(_ match: AddressMatch, _ field: AddressField, otherwise next: Label) {
    let (register, header6) = (field.register4, field.header6)
    switch match {
    case .network4(let address, let mask):
      require(version: 4, otherwise: next)
      if mask == .max {
        assembler.jump(if: register, .notEqual, address.rawValue, to: next)
      } else if mask != 0 {
        assembler.move32(.r1, register)
        assembler.calculate(.and, .r1, mask)
        assembler.jump(if: .r1, .notEqual, address.rawValue, to: next)
      }
    case .network6(let address, let mask):
      require(version: 6, otherwise: next)
      require(address, mask, header: header6, otherwise: next)
    case .networks4(let networks):
      require(version: 4, otherwise: next)
      let holds = assembler.makeLabel()
      for network in networks {
        assembler.move32(.r1, register)
        assembler.calculate(.and, .r1, network.mask)
        assembler.jump(if: .r1, .equal, network.address.rawValue, to: holds)
      }
      assembler.jump(to: next)
      assembler.place(holds)
    case .set4(let set):
      require(version: 4, otherwise: next)
      let holds = assembler.makeLabel()
      for addresses in set.addresses {
        let below = assembler.makeLabel()
        assembler.jump(if: register, .less, addresses.lowerBound, to: below)
        assembler.jump(if: register, .lessOrEqual, addresses.upperBound, to: holds)
        assembler.place(below)
      }
      assembler.jump(to: next)
      assembler.place(holds)
    case .networks6(let networks):
      require(version: 6, otherwise: next)
      let holds = assembler.makeLabel()
      for network in networks {
        let another = assembler.makeLabel()
        require(network.address, network.mask, header: header6, otherwise: another)
        assembler.jump(to: holds)
        assembler.place(another)
      }
      assembler.jump(to: next)
      assembler.place(holds)
    case .me6:
      require(version: 6, otherwise: next)
      requireLocal(field, otherwise: next)
    case .me: requireLocal(field, otherwise: next)
    }
  }

  private mutating func requireLocal(_ field: AddressField, otherwise next: Label) {
    assembler.load(.word, .r1, from: .r7, field.isLocal)
    assembler.jump(if: .r1, .equal, 0, to: next)
  }

  /// Looks the addresses up that rules ask for with `me` and `me6`, once for all of them.
  mutating func findLocalAddresses(_ ruleSet: RuleSet, _ maps: borrowing HookMaps) {
    for field in [AddressField.source, .destination] where ruleSet.asksWhetherLocal(field) {
      let (version6, looked, known) = (assembler.makeLabel(), assembler.makeLabel(), assembler.makeLabel())
      assembler.load(.word, .r1, from: .r7, Variable.version)
      assembler.jump(if: .r1, .equal, 6, to: version6)
      assembler.lookUp(maps.local4, key: Variable.header + field.header4)
      assembler.jump(to: looked)
      assembler.place(version6)
      assembler.lookUp(maps.local6, key: Variable.header + field.header6)
      assembler.place(looked)
      assembler.move(.r1, 0)
      assembler.jump64(if: .r0, .equal, 0, to: known)
      assembler.move(.r1, 1)
      assembler.place(known)
      assembler.store(.word, .r1, to: .r7, field.isLocal)
    }
  }

  /// Changes r1.
  private mutating func require(
    _ address: IPv6Address, _ mask: IPv6Address, header: Int, otherwise next: Label
  ) {
    for word in 0..<4 {
      let (wanted, bits) = (address.networkWord(word), mask.networkWord(word))
      if bits == 0 { continue }
      assembler.load(.word, .r1, from: .r7, Variable.header + header + word * 4)
      if bits != .max { assembler.calculate(.and, .r1, bits) }
      assembler.jump(if: .r1, .notEqual, wanted, to: next)
    }
  }

  private mutating func require(_ port: Int, in ranges: [ClosedRange<UInt16>], otherwise next: Label) {
    require(transport: TransportKind.ports, otherwise: next)
    let holds = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, port)
    for range in ranges {
      if range.count == 1 {
        assembler.jump(if: .r1, .equal, UInt32(range.lowerBound), to: holds)
      } else {
        let below = assembler.makeLabel()
        assembler.jump(if: .r1, .less, UInt32(range.lowerBound), to: below)
        assembler.jump(if: .r1, .lessOrEqual, UInt32(range.upperBound), to: holds)
        assembler.place(below)
      }
    }
    assembler.jump(to: next)
    assembler.place(holds)
  }

  private mutating func require(_ interface: Int, in indexes: [UInt32], otherwise next: Label) {
    let holds = assembler.makeLabel()
    assembler.load(.word, .r1, from: .r7, interface)
    for index in indexes { assembler.jump(if: .r1, .equal, index, to: holds) }
    assembler.jump(to: next)
    assembler.place(holds)
  }
}

enum AddressField {
  case source, destination

  /// Holds the address of an IPv4 packet, in host order.
  var register4: Register { self == .source ? .r8 : .r9 }
  /// Where it lies in the IPv4 header, and in the IPv6 header.
  var header4: Int { self == .source ? 12 : 16 }
  var header6: Int { self == .source ? 8 : 24 }
  var isLocal: Int { self == .source ? Variable.sourceIsLocal : Variable.destinationIsLocal }
}

extension RuleSet {
  fileprivate func asksWhetherLocal(_ field: AddressField) -> Bool {
    entries.contains { entry in
      entry.rule.clauses.contains { clause in clause.terms.contains { $0.test.asksWhetherLocal(field) } }
    }
  }
}

extension Test {
  fileprivate func asksWhetherLocal(_ field: AddressField) -> Bool {
    switch (self, field) {
    case (.source(.me), .source), (.source(.me6), .source): true
    case (.destination(.me), .destination), (.destination(.me6), .destination): true
    default: false
    }
  }
}

extension IPv6Address {
  /// One of the four 32-bit words as a load from the packet yields it: bytes in network order.
  fileprivate func networkWord(_ index: Int) -> UInt32 {
    let half = index < 2 ? high : low
    return UInt32(truncatingIfNeeded: index % 2 == 0 ? half >> 32 : half).bigEndian
  }
}
