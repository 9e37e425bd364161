/// ipfw(8), RULE ACTIONS. Everything about an action is in its row of ``table``.
package enum ActionKind: Int, CaseIterable, Hashable, Sendable, BitwiseCopyable {
  case allow, deny, count, divert, tee, skipto

  package var row: Row { Self.table[rawValue] }

  /// A row of the table of actions: the parser, the printer, completion, `ipfw -h` and ipfw(8) follow from it.
  package struct Row: Sendable {
    package let kind: ActionKind
    /// All mean the same; the first one is listed.
    package let words: [String]
    package let argument: ActionArgument
    package let effect: ActionEffect
    package let example: String
    /// For ipfw(8): plain sentences.
    package let documentation: String

    init(
      _ kind: ActionKind, _ words: [String], _ argument: ActionArgument, _ effect: ActionEffect,
      example: String, _ documentation: String
    ) {
      self.kind = kind
      self.words = words
      self.argument = argument
      self.effect = effect
      self.example = example
      self.documentation = documentation
    }
  }

  package var effect: ActionEffect { Self.table[rawValue].effect }
  var word: String { Self.table[rawValue].words[0] }
}

/// What becomes of a packet that matches.
package enum ActionEffect: Sendable, BitwiseCopyable {
  /// No further rule is tried.
  case end
  /// The next rule is tried.
  case `continue`
  /// A later rule is tried next.
  case jump
}

/// How the argument of an action is written, and the action that it makes.
package enum ActionArgument: Sendable {
  case none(Action)
  case divertPort(@Sendable (UInt16) -> Action)
  case ruleNumber(@Sendable (UInt16) -> Action)

  /// What stands for the argument in `ipfw -h` and in ipfw(8).
  package var placeholder: (short: String, long: String)? {
    switch self {
    case .none: nil
    case .divertPort: ("PORT", "port")
    case .ruleNumber: ("N", "number")
    }
  }

  /// What may follow the action's word, for shells to offer. nil: no argument follows.
  var candidates: [String]? {
    switch self {
    case .none: nil
    case .divertPort: ["natd"]
    case .ruleNumber: []
    }
  }
}

extension Action {
  package var kind: ActionKind {
    switch self {
    case .allow: .allow
    case .deny: .deny
    case .count: .count
    case .divert: .divert
    case .tee: .tee
    case .skipto: .skipto
    }
  }

  /// The divert port that gets the packet or a copy of it.
  package var port: UInt16? {
    switch self {
    case .divert(let port), .tee(let port): port
    case .allow, .deny, .count, .skipto: nil
    }
  }

  /// As it is listed.
  var text: String {
    switch self {
    case .allow, .deny, .count: kind.word
    case .divert(let number), .tee(let number), .skipto(let number): "\(kind.word) \(number)"
    }
  }
}
