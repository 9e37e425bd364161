extension RuleParser {
  /// The rest of the rule. Answers with the comment behind `//`.
  mutating func options() throws(RuleError) -> String? {
    while var word = next() {
      if word.utf8.first == UInt8(ascii: "!") {
        try negate()
        word.removeFirst()
      }
      guard let option = Grammar.options.meaning(of: word) else {
        throw RuleError("unrecognised option [-1] \(word)", .usage)
      }
      switch option {
      case .not:
        try negate()
      case .or:
        guard block.isOpen, block.canJoin, !block.joins, !block.negates else { throw Self.invalidBlock }
        block.joins = true
      case .open:
        guard !block.isOpen else { throw RuleError("+nested \"(\" not allowed", .usage) }
        block = Block(isOpen: true, negates: block.negates)
      case .close:
        guard block.isOpen else { throw RuleError("+missing \")\"", .usage) }
        guard !block.joins else { throw Self.invalidBlock }
        try close()
      case .comment:
        guard !block.isOpen else { throw RuleError("missing \")\"", .usage) }
        try close()
        return try comment()
      case .later:
        throw .later(word)
      case .option(let option):
        let test = try test(RuleOption.table[option.rawValue].operand)
        // an "or" must not lead to, or come from, what asks nothing: the block would mean something else
        guard test != nil || !block.joins else { throw Self.invalidBlock }
        try append(test)
      }
    }
    guard !block.isOpen else { throw RuleError("missing \")\"", .usage) }
    try close()
    return nil
  }

  private static var invalidBlock: RuleError { RuleError("invalid \"or\" block", .usage) }

  private mutating func negate() throws(RuleError) {
    guard !block.negates else { throw RuleError("double \"not\" not allowed", .usage) }
    block.negates = true
  }

  /// A `not` without anything to negate: ipfw takes it in silence.
  private mutating func close() throws(RuleError) {
    guard !block.negates else { throw RuleError("missing argument for not", .usage) }
    block = Block()
  }

  /// At most 84 bytes with a blank behind each word, whatever the message says (ipfw2.c, `fill_comment`).
  private mutating func comment() throws(RuleError) -> String {
    let text = words[position...].flatMap { Words.split($0) }.joined(separator: " ")
    guard text.utf8.count + 1 <= 84 else { throw RuleError("comment too long (max 80 chars)", .badData) }
    position = words.count
    return text
  }
}
