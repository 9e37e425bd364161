/// A call of `ipfw`: its options and what it is to do.
///
/// The program parses its arguments into one of these and sends ``words`` to divertd, which parses them anew
/// and executes them on its own state. Files are read by the program: their lines travel as words.
package struct IpfwInvocation: Equatable, Sendable {
  package enum Job: Equatable, Sendable {
    /// A command and its arguments; empty for `--help` and `--version`.
    case command([String])
    /// A file of commands, yet to be read.
    case file(String)
    /// The lines of a file.
    case lines([String])
  }

  package var flags = IpfwFlags()
  package var job: Job
  /// The options as they were given.
  private var flagWords: [String]

  /// Stands before the lines of a file where they travel as words.
  static let linesMark = "--lines"

  /// - Parameter words: The arguments, without the program's name.
  package init(_ words: [String]) throws(RuleError) {
    var rest = words[...]
    let travelled = rest.contains(Self.linesMark)
    if !travelled, let path = rest.last, path.hasPrefix("/"),
      rest.dropLast().allSatisfy({ $0.hasPrefix("-") })
    {
      rest.removeLast()
      flagWords = Array(rest)
      job = .file(path)
      try flags.take(from: &rest)
      return
    }
    if !travelled { rest = Self.normalized(words)[...] }
    let all = rest
    try flags.take(from: &rest)
    flagWords = Array(all[..<rest.startIndex])
    if rest.first == Self.linesMark {
      job = .lines(Array(rest.dropFirst()))
      return
    }
    job = .command(Self.swapped(Array(rest)))
    guard !rest.isEmpty || flags.asksForHelp || flags.asksForVersion else { throw IpfwFlags.usage }
  }

  /// The same call for another program to parse.
  package var words: [String] {
    switch job {
    case .command(let words): flagWords + words
    case .file(let path): flagWords + [path]
    case .lines(let lines): flagWords + [Self.linesMark] + lines
    }
  }

  /// Asks no questions; implied where nobody could answer (stdin is no terminal).
  package mutating func force() {
    guard !flags.isForced else { return }
    flags.isForced = true
    flagWords.insert("-f", at: 0)
  }

  /// A file's text in place of its name.
  package mutating func use(text: String) {
    job = .lines(text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init))
  }

  /// Whether `Are you sure?` comes first: a flush without -f and -q.
  package var needsConfirmation: Bool {
    guard !flags.isForced, !flags.isQuiet, !flags.isTest else { return false }
    switch job {
    case .command(let words): return (try? ParsedCommand(words))?.command == .flush
    case .lines(let lines): return lines.contains { (try? Self([$0]))?.needsConfirmation ?? false }
    case .file: return false
    }
  }

  /// One argument alone is a line: split on white space, without what follows `#`. A word that ends in a
  /// comma goes on in the next one.
  private static func normalized(_ words: [String]) -> [String] {
    var parts = words
    if words.count == 1 {
      let text = words[0].prefix { $0 != "#" }
      parts = text.split { $0.isWhitespace }.map(String.init)
    }
    var joined: [String] = []
    for part in parts {
      if let last = joined.last, last.hasSuffix(",") {
        joined[joined.count - 1] = last + part
      } else {
        joined.append(part)
      }
    }
    return joined
  }

  /// `100 add allow …` is `add 100 allow …`.
  private static func swapped(_ words: [String]) -> [String] {
    guard words.count > 1, let first = words[0].utf8.first, isDigit(first) else { return words }
    return [words[1], words[0]] + words[2...]
  }
}
