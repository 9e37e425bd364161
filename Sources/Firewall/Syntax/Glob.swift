/// Shell patterns, as fnmatch(3) without flags: `*`, `?`, `[a-z]`, `[!a]`, `\` before what is meant literally.
package struct Glob: Sendable, Equatable {
  private let pattern: [UInt8]

  package init(_ pattern: some StringProtocol) { self.pattern = Array(pattern.utf8) }

  /// Whether a name holds a character that makes it a pattern.
  package static func isPattern(_ name: some StringProtocol) -> Bool {
    name.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") }
  }

  package func matches(_ name: some StringProtocol) -> Bool {
    let text = Array(name.utf8)
    var position = 0
    var index = 0
    var star: (position: Int, index: Int)?  // the last `*` seen, and how much of the text it has taken
    while index < text.count {
      if position < pattern.count, pattern[position] == UInt8(ascii: "*") {
        star = (position + 1, index)
        position += 1
      } else if let next = step(at: position, text[index]) {
        (position, index) = (next, index + 1)
      } else if let last = star {
        star = (last.position, last.index + 1)
        (position, index) = (last.position, last.index + 1)
      } else {
        return false
      }
    }
    return pattern[position...].allSatisfy { $0 == UInt8(ascii: "*") }
  }

  /// The position behind the part of the pattern that takes this one character; nil where it does not.
  private func step(at position: Int, _ character: UInt8) -> Int? {
    guard position < pattern.count else { return nil }
    switch pattern[position] {
    case UInt8(ascii: "?"):
      return position + 1
    case UInt8(ascii: "["):
      if let (found, end) = set(at: position + 1, character) { return found ? end : nil }
      return character == UInt8(ascii: "[") ? position + 1 : nil  // an unclosed bracket is a bracket
    case UInt8(ascii: "\\") where position + 1 < pattern.count:
      return pattern[position + 1] == character ? position + 2 : nil
    case let literal:
      return literal == character ? position + 1 : nil
    }
  }

  /// Whether the set that begins here has the character, and the position behind its `]`; nil if it has none.
  private func set(at start: Int, _ character: UInt8) -> (found: Bool, end: Int)? {
    var position = start
    let negated =
      position < pattern.count
      && (pattern[position] == UInt8(ascii: "!") || pattern[position] == UInt8(ascii: "^"))
    if negated { position += 1 }
    let first = position
    var found = false
    while position < pattern.count, position == first || pattern[position] != UInt8(ascii: "]") {
      let low = pattern[position]
      var high = low
      if position + 2 < pattern.count, pattern[position + 1] == UInt8(ascii: "-"),
        pattern[position + 2] != UInt8(ascii: "]")
      {
        high = pattern[position + 2]
        position += 2
      }
      if low <= character, character <= high { found = true }
      position += 1
    }
    guard position < pattern.count else { return nil }
    return (found != negated, position + 1)
  }
}
