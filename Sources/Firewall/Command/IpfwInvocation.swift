/// A call of `ipfw`: its options and what it is to do.
///
/// The program parses its arguments into one of these and sends ``words`` to divertd, which parses them anew
/// and executes them on its own state. Files are read by the program: their lines travel as words.
package struct IpfwInvocation: Equatable, Sendable {
  package enum Job: Equatable, Sendable {
    /// A command and its arguments; empty for `--help` and `--version`.
    case command([String])
    /// A file of commands, yet to be read, and the program with its arguments that is to change it before.
    case file(String, preprocessor: [String])
    /// The lines of a file.
    case lines([String])
  }

  package var flags = IpfwFlags()
  package var job: Job

  /// Stands before the lines of a file where they travel as words.
  static let linesMark = "--lines"

  /// What was typed.
  ///
  /// - Parameter arguments: Without the program's name. If the last one begins with `/`, it is a file.
  package init(arguments: [String]) throws(RuleError) {
    guard let path = arguments.last, path.hasPrefix("/") else {
      self = try Self(arguments)
      return
    }
    var rest = arguments.dropLast()
    let preprocessor = try flags.take(from: &rest, precedeFile: true)
    guard rest.isEmpty else { throw RuleError("extraneous filename arguments \(path)", .usage) }
    job = .file(path, preprocessor: preprocessor)
  }

  /// A command, or lines that were read: what travels, and each line of a file.
  package init(_ words: [String]) throws(RuleError) {
    var rest = words.contains(Self.linesMark) ? words[...] : Self.normalized(words)[...]
    try flags.take(from: &rest)
    if rest.first == Self.linesMark {
      job = .lines(Array(rest.dropFirst()))
      return
    }
    job = .command(Self.swapped(Array(rest)))
    guard !rest.isEmpty || flags.asksForHelp || flags.asksForVersion else { throw IpfwFlags.usage }
  }

  /// The same call for another program to parse; a file has to be read before.
  package var words: [String] {
    switch job {
    case .command(let words):
      // behind `--` no option is one
      flags.words + (words.first?.hasPrefix("-") == true ? ["--"] : []) + words
    case .file(let path, _): flags.words + [path]
    case .lines(let lines): flags.words + [Self.linesMark] + lines
    }
  }

  /// Asks no questions; implied where nobody could answer (stdin is no terminal).
  package mutating func force() { flags.isForced = true }

  /// A file's text in place of its name.
  package mutating func use(text: String) {
    job = .lines(TextFile.lines(of: text).map(String.init))
  }

  /// Asks before each flush without -f and -q; one that nobody wants is left out.
  package mutating func confirmFlushes(_ isSure: () -> Bool) {
    guard !flags.isForced, !flags.isQuiet, !flags.isTest else { return }
    switch job {
    case .command(let words):
      guard (try? ParsedCommand(words))?.command == .flush, !isSure() else { return }
      job = .lines([])
    case .lines(let lines):
      job = .lines(
        lines.map { line in
          guard var call = try? IpfwRun.call(line) else { return line }
          call.confirmFlushes(isSure)
          return call.job == .lines([]) ? "" : line
        })
    case .file: break
    }
  }

  /// One argument alone is a line: split on white space, without what follows `#`. A word that ends in a
  /// comma goes on in the next one.
  private static func normalized(_ words: [String]) -> [String] {
    let parts = words.count == 1 ? Words.split(words[0].utf8, until: UInt8(ascii: "#")) : words
    guard parts.dropLast().contains(where: endsInComma) else { return parts }
    var joined: [String] = []
    for part in parts {
      if let last = joined.last, endsInComma(last) {
        joined[joined.count - 1] = last + part
      } else {
        joined.append(part)
      }
    }
    return joined
  }

  private static func endsInComma(_ word: String) -> Bool {
    word.utf8.last == UInt8(ascii: ",")
  }

  /// `100 add allow …` is `add 100 allow …`.
  private static func swapped(_ words: [String]) -> [String] {
    guard words.count > 1, let first = words[0].utf8.first, isDigit(first) else { return words }
    return [words[1], words[0]] + words[2...]
  }
}
