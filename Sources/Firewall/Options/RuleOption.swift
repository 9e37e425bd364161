/// ipfw(8), RULE OPTIONS: what a rule may ask of a packet and its pass. Everything about an option is in its row of
/// ``table``.
package enum RuleOption: Int, CaseIterable, Hashable, Sendable, BitwiseCopyable {
  case incoming, outgoing, received, transmitted, via
  case icmpTypes, protocolNumber
  case source, destination, source6, destination6, sourcePort, destinationPort
  case version4, version6
  case setup, established, tcpFlags, fragment
  case diverted, divertedLoopback, divertedOutput

  package var row: Row { Self.table[rawValue] }

  /// A row of the table of options: the parser, the printer, completion, `ipfw -h`, ipfw(8) and random rules of the tests
  /// follow from it.
  package struct Row: Sendable {
    package let option: RuleOption
    /// All mean the same; the first one is listed.
    package let words: [String]
    /// How what follows the word is written, and what it makes.
    package let operand: OperandFamily
    package let field: PacketField
    /// The packets of which the option can be true.
    package let applicability: Applicability
    /// Where in `PROTO from … to …` the option is listed if that part says nothing of its kind.
    package let place: ListingPlace
    /// As one types it: it matches some of the packets in Tests/TestSupport/Verdicts, and some others not.
    package let example: String
    /// For ipfw(8): plain sentences.
    package let documentation: String

    init(
      _ option: RuleOption, _ words: [String], _ operand: OperandFamily, asks field: PacketField,
      of applicability: Applicability = .all, listed place: ListingPlace = .option, example: String,
      _ documentation: String
    ) {
      self.option = option
      self.words = words
      self.operand = operand
      self.field = field
      self.applicability = applicability
      self.place = place
      self.example = example
      self.documentation = documentation
    }
  }

  /// Whether fragments of one datagram may answer differently.
  package var dependsOnFragments: Bool {
    Self.table[rawValue].field == .fragmentBits || Self.table[rawValue].applicability.needsFirstFragment
  }

  /// Whether the answer changes with the interfaces that there are.
  package var dependsOnInterfaces: Bool { Self.table[rawValue].field.isInterface }

  var place: ListingPlace { Self.table[rawValue].place }
  var word: String { Self.table[rawValue].words[0] }
}

/// The parts of `PROTO from SOURCE [PORTS] to DESTINATION [PORTS] [OPTION…]`, in their order.
package enum ListingPlace: Int, Sendable, BitwiseCopyable {
  case proto, source, sourcePort, destination, destinationPort, option
}
