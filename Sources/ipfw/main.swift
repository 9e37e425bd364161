import Divert
import DivertWire
import Firewall
import Glibc
import Kernel

// What can be answered without divertd is answered here; the rest it does, with its own rules.

/// Lets divertd do what the words say.
func send(_ words: [String]) throws(RuleError) -> CommandResult {
  do throws(SystemError) {
    var divertd = try ControlConnection(path: ControlConnection.path)
    guard case .result(let status, let output, let errors) = try divertd.ask(.ipfw(words: words)) else {
      throw SystemError("understand divertd", code: EPROTO)
    }
    return CommandResult(output: output, errors: errors, status: status)
  } catch {
    throw RuleError(error.description, .unavailable)
  }
}

/// As ipfw2.c, `ipfw_flush`: reads on until a line begins with y or n; the end of input means no.
func isSure() -> Bool {
  print("Are you sure? [yn] ", terminator: "")
  fflush(nil)
  while let answer = readLine() {
    switch answer.first {
    case "y", "Y":
      print()
      return true
    case "n", "N":
      print()
      return false
    default: continue
    }
  }
  return false
}

func run(_ arguments: [String]) throws(RuleError) -> CommandResult {
  // before anything else, as main.c
  if let path = arguments.last, path.hasPrefix("/"), unsafe access(path, R_OK) != 0 {
    throw TextFile.failure(path)
  }
  var call = try IpfwInvocation(arguments: arguments)
  if isatty(STDIN_FILENO) == 0 { call.force() }
  if case .file(let path, let preprocessor) = call.job {
    call.use(text: preprocessor.isEmpty ? try TextFile.read(path) : try text(of: path, through: preprocessor))
  }
  call.resolveHosts(lookUp: address(ofHost:versions:))
  var result = perform(call)
  if result.status != 0, isatty(STDERR_FILENO) != 0, let pointer = call.pointer(to: result.errors) {
    result.errors += pointer
  }
  return result
}

func perform(_ call: IpfwInvocation) -> CommandResult {
  var call = call
  if call.flags.isTest || call.flags.asksForHelp || call.flags.asksForVersion {
    var nowhere = DetachedRules(RuleSet(default: .allow))
    return call.execute(on: &nowhere)
  }
  call.confirmFlushes(isSure)
  if call.job == .lines([]) { return CommandResult() }
  do throws(RuleError) {
    return try send(call.words)
  } catch {
    // wrong words are told first, as by BSD's ipfw, which asks its kernel only when it has understood
    return call.misuse ?? CommandResult(error)
  }
}

/// Of this network namespace, for shells to complete.
func interfaceNames() -> [String] {
  guard let list = unsafe if_nameindex() else { return [] }
  defer { unsafe if_freenameindex(list) }
  var names: [String] = []
  var next = unsafe list
  while let name = unsafe next.pointee.if_name {
    names.append(unsafe String(cString: name))
    unsafe next += 1
  }
  return names
}

func write(_ text: String, to descriptor: CInt) {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = unsafe rest.withUnsafeBytes { bytes in
      unsafe write(descriptor, bytes.baseAddress, bytes.count)
    }
    if count < 0 && errno != EINTR { return }
    rest = rest.dropFirst(max(count, 0))
  }
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "--complete" {
  let candidates = IpfwCompletion.candidates(
    after: Array(arguments.dropFirst()), interfaces: interfaceNames())
  write(candidates.map { "\($0)\n" }.joined(), to: STDOUT_FILENO)
  exit(0)
}
let result: CommandResult
do throws(RuleError) {
  result = try run(arguments)
} catch {
  result = CommandResult(error)
}
write(result.output, to: STDOUT_FILENO)
write(result.errors, to: STDERR_FILENO)
exit(result.status)
