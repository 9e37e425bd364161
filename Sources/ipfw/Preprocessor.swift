import Firewall
import Glibc
import Kernel

/// What a program like cpp(1) or m4(1) makes of a file, which it gets as its standard input.
///
/// If it fails, nothing of what it has written counts: its last line may be half a rule. (BSD's ipfw has done the lines
/// by then.)
func text(of path: String, through preprocessor: [String]) throws(RuleError) -> String {
  let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw TextFile.failure(path) }
  let file = Descriptor(owning: descriptor)
  let program = preprocessor[0]
  var text: [UInt8] = []
  let status: CInt
  do throws(SystemError) {
    let pipe = try Pipe()
    let identifier = try spawn(
      program, preprocessor, descriptors: [(file.number, 0), (pipe.writing.number, 1)])
    let output = pipe.keepReading()
    while true {
      let more = readSome(of: output)
      if more.isEmpty { break }
      text += more
    }
    status = waitForEnd(of: identifier)
  } catch {
    throw RuleError(
      "\(error.description); is the preprocessor installed?",
      error.code == ENOENT ? .unavailable : .systemError)
  }
  guard status == 0 else {
    throw RuleError(
      status > 128
        ? "preprocessor exited with signal \(status - 128)" : "preprocessor exited with status \(status)",
      .unavailable)
  }
  return String(decoding: text, as: UTF8.self)
}
