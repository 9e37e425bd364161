/// How the operand of an option is written, and the test that it makes. Each family has a file of its own, with what reads
/// and what prints it.
package enum OperandFamily: Sendable {
  /// No operand.
  case none(Test)
  case protocolNumber(@Sendable (UInt8) -> Test)
  /// - Parameter missing: What ipfw says where the operand is missing.
  case addresses4(missing: String, @Sendable (AddressMatch) -> Test)
  case addresses6(missing: String, @Sendable (AddressMatch) -> Test)
  case ports(side: String, @Sendable ([ClosedRange<UInt16>]) -> Test)
  case interface(@Sendable (InterfaceMatch) -> Test)
  /// Numbers 0...31.
  case bitSet(@Sendable (UInt32) -> Test)
  /// - Parameter bare: What the option means without an operand; nil: it needs one.
  case flags(Keywords<UInt8>, missing: String, bare: FlagMatch?, @Sendable (FlagMatch) -> Test)

  /// What stands for the operand in `ipfw -h` and in ipfw(8).
  package var placeholder: (short: String, long: String)? {
    switch self {
    case .none: nil
    case .protocolNumber: ("P", "protocol")
    case .addresses4, .addresses6: ("A", "address")
    case .ports: ("P", "ports")
    case .interface: ("IF", "interface")
    case .bitSet: ("LIST", "list")
    case .flags: ("LIST", "list")
    }
  }

  /// Whether the option may stand without its operand.
  package var isOptional: Bool {
    switch self {
    case .flags(_, _, let bare, _): bare != nil
    case .none, .protocolNumber, .addresses4, .addresses6, .ports, .interface, .bitSet: false
    }
  }

  /// What may follow the option's word, for shells to offer; numbers and addresses are not listed.
  func candidates(_ completion: IpfwCompletion) -> [String] {
    switch self {
    case .none: IpfwCompletion.options
    case .protocolNumber: IpfwCompletion.protocols
    case .addresses4: ["any", "me"]
    case .addresses6: ["any", "me", "me6"]
    case .ports, .bitSet: []
    case .interface: completion.interfaces + ["any"]
    case .flags(let flags, _, let bare, _):
      flags.entries.map(\.word) + (bare == nil ? [] : IpfwCompletion.options)
    }
  }
}

extension RuleParser {
  /// Takes the operand of an option off the words. nil: it asks nothing (`via any`).
  mutating func test(_ family: borrowing OperandFamily) throws(RuleError) -> Test? {
    switch family {
    case .none(let test): test
    case .protocolNumber(let make): try protocolOperand().map(make)
    case .addresses4(let missing, let make): try address4(try need(missing)).map(make)
    case .addresses6(let missing, let make): try address6Operand(missing).map(make)
    case .ports(let side, let make): try portOperand(side).map(make)
    case .interface(let make): try interfaceOperand().map(make)
    case .bitSet(let make): make(try bitSetOperand())
    case .flags(let names, let missing, let bare, let make): make(try flagsOperand(names, missing, bare))
    }
  }
}

extension RulePrinter {
  /// What follows the option's word, or stands alone in the from/to part.
  ///
  /// - Parameter parts: The rule's from/to part, where it has one.
  func operand(_ test: Test, _ parts: Arrangement?) -> String {
    switch test {
    case .direction, .established, .diverted: ""
    case .version(let version): "ip\(version)"
    case .protocolNumber(let number): names.protocolName(number) ?? "\(number)"
    case .source(let match), .destination(let match): address(match, parts)
    case .sourcePort(let ranges), .destinationPort(let ranges): ports(ranges, parts)
    case .received(let match), .transmitted(let match), .via(let match): match.text
    case .icmpTypes(let types): Self.bitSet(types)
    case .tcpFlags(let match): Self.flags(match, Grammar.tcpFlags)
    case .fragment(let match): Self.flags(match, Grammar.fragmentFlags)
    }
  }
}
