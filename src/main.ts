/** From the arguments of the process to one command of cli/, and its exit code. Nothing else. */
import { systemIo } from './cli/io.ts'
import { runProgram } from './cli/program.ts'
import { systemProduct } from './cli/product.ts'
import { systemInputs } from './ops/config.ts'

const inputs = systemInputs({})
process.exit(await runProgram(process.argv.slice(2), { io: systemIo(inputs.env), product: systemProduct, inputs }))
