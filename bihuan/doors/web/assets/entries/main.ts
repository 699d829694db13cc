import "../styles/index.css";
import { startClocks } from "../islands/clock";
import { startFileDrop } from "../islands/filedrop";
import { startForms } from "../islands/forms";
import { startKeyboard } from "../islands/keyboard";
import { startPanel } from "../islands/panel";
import { startSelection } from "../islands/selection";
import { startTheme } from "../islands/theme";
import { startToasts } from "../islands/toasts";

startTheme();
startPanel();
startToasts();
startClocks();
startSelection();
startKeyboard();
startFileDrop();
startForms();
